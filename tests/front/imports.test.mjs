// The imports of static/js: every imported file exists, and no file imports itself through other
// files.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

const ROOT = fileURLToPath(new URL('../../static/js/', import.meta.url));

/** The path of an import: at the begin of a file, or `import('…')` within it. */
const IMPORT = /^(?:import |\} from |export )[^'\n]*'(\.[^']+)'|\bimport\('(\.[^']+)'\)/gm;
const importsOf = source => [...source.matchAll(IMPORT)].map(([, before, within]) => before ?? within);

/** File → the files that it imports, as paths below static/js. */
function importsOfAll() {
  const files = readdirSync(ROOT, { recursive: true }).filter(name => name.endsWith('.js'));
  return new Map(files.map(file => {
    const source = readFileSync(join(ROOT, file), 'utf8');
    const imported = importsOf(source).map(path => relative(ROOT, join(ROOT, dirname(file), path)));
    return [file, imported];
  }));
}

/**
 * @returns {string[]} the files of one circle, its first file twice; empty if there is no circle
 */
function circleIn(imports) {
  const finished = new Set();
  const visit = (file, trail) => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file];
    if (finished.has(file)) return [];
    for (const imported of imports.get(file) ?? []) {
      const circle = visit(imported, [...trail, file]);
      if (circle.length) return circle;
    }
    finished.add(file);
    return [];
  };
  for (const file of imports.keys()) {
    const circle = visit(file, []);
    if (circle.length) return circle;
  }
  return [];
}

test('every imported file exists', () => {
  const imports = importsOfAll();
  assert.ok(imports.size > 50, `the files are found: ${imports.size}`);
  const missing = [...imports].flatMap(([file, all]) => all.filter(path => !imports.has(path)).map(path => `${file} imports ${path}`));
  assert.deepEqual(missing, []);
});

test('no file imports itself through other files', () => {
  assert.deepEqual(circleIn(importsOfAll()), []);
});

test('a planted circle is found', () => {
  const planted = new Map([['a.js', ['b.js']], ['b.js', ['c.js', 'd.js']], ['c.js', []], ['d.js', ['b.js']]]);
  assert.deepEqual(circleIn(planted), ['b.js', 'd.js', 'b.js']);
});

test('every form of an import is read', () => {
  const source = "import {\n  a,\n} from './a.js';\nimport './b.js';\nexport { c } from './c.js';\nconst d = () => import('./d.js');\n";
  assert.deepEqual(importsOf(source), ['./a.js', './b.js', './c.js', './d.js']);
});
