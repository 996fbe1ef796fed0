// markup.js: a value is text or an attribute's value and never markup, regardless of its content.

import './fake-page.mjs';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { markup } from '../../static/js/markup.js';

const parsed = (strings, ...values) => markup(strings, values);
const source = (strings, ...values) => parsed(strings, ...values).source;

const ATTACK = `<script>alert("1")</script>&'`;
const ESCAPED = '&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;';

test('a value between tags is escaped', () => {
  assert.equal(source`<p>${ATTACK}</p>`, `<p>${ESCAPED}</p>`);
  assert.equal(source`${ATTACK}`, ESCAPED);
});

test('numbers are text, and null, undefined and booleans are nothing', () => {
  assert.equal(source`<p>${0} ${1.5} ${null}${undefined}${true}${false}</p>`, '<p>0 1.5 </p>');
});

test('a value of an attribute is quoted and escaped', () => {
  assert.equal(source`<p title=${ATTACK}>x</p>`, `<p title="${ESCAPED}">x</p>`);
  assert.equal(source`<p title=${'" onclick="alert(1)'}>x</p>`, '<p title="&quot; onclick=&quot;alert(1)">x</p>');
  assert.equal(source`<p title=${'a>b'} class=${'c'}>x</p>`, '<p title="a&gt;b" class="c">x</p>');
});

test('a value within quotes is escaped', () => {
  assert.equal(source`<p class="a ${'"><script>'}">x</p>`, '<p class="a &quot;&gt;&lt;script&gt;">x</p>');
  assert.equal(source`<p class="${'b'}">x</p>`, '<p class="b">x</p>');
  assert.equal(source`<p class="a ${null}">x</p>`, '<p class="a ">x</p>');
});

test('true is an attribute without a value; false, null and undefined remove the attribute', () => {
  assert.equal(source`<input disabled=${true}>`, '<input disabled>');
  for (const value of [false, null, undefined]) assert.equal(source`<input disabled=${value} name="n">`, '<input name="n">');
  assert.equal(source`<input value=${''} max=${0}>`, '<input value="" max="0">');
});

test('a link leads only to paths, fragments and web addresses', () => {
  for (const safe of ['/cart', '#top', '?q=1', 'https://example.com/', 'http://example.com/', 'HTTPS://EXAMPLE.COM']) {
    assert.equal(source`<a href=${safe}>x</a>`, `<a href="${safe}">x</a>`);
  }
  for (const unsafe of ['javascript:alert(1)', 'JaVaScRiPt:alert(1)', ' javascript:alert(1)', '\tjavascript:alert(1)', 'data:text/html,x', 'vbscript:x']) {
    assert.equal(source`<a href=${unsafe}>x</a>`, '<a href="#">x</a>', unsafe);
    assert.equal(source`<a href="${unsafe}">x</a>`, '<a href="#">x</a>', unsafe);
    assert.equal(source`<img src=${unsafe}>`, '<img src="#">', unsafe);
    assert.equal(source`<form action=${unsafe}></form>`, '<form action="#"></form>', unsafe);
  }
  assert.equal(source`<img src=${'data:image/png;base64,AA'}>`, '<img src="data:image/png;base64,AA">');
});

test('a function becomes a listener and never text of the page', () => {
  const buy = () => {};
  const { source: text, listeners } = parsed`<button onclick=${buy} oninput=${buy} class="a">x</button>`;
  assert.equal(text, '<button data-listens-0 data-listens-1 class="a">x</button>');
  assert.deepEqual(listeners, [{ type: 'click', listener: buy }, { type: 'input', listener: buy }]);
});

test('a node is inserted as it is, at a marked place', () => {
  const node = new Node();
  const { source: text, nodes } = parsed`<p>${'<b>'}${node}</p>`;
  assert.equal(text, '<p>&lt;b&gt;<!--place:0--></p>');
  assert.deepEqual(nodes, [node]);
});

test('text cannot forge the place of a node', () => {
  const { source: text, nodes } = parsed`<p>${'<!--place:0-->'}${new Node()}</p>`;
  assert.equal(text, '<p>&lt;!--place:0--&gt;<!--place:0--></p>');
  assert.equal(nodes.length, 1);
});

test('an array is each of its entries, at any depth', () => {
  const [one, two] = [new Node(), new Node()];
  const { source: text, nodes } = parsed`<ul>${[one, ['<i>', [two]], null, false]}</ul>`;
  assert.equal(text, '<ul><!--place:0-->&lt;i&gt;<!--place:1--></ul>');
  assert.deepEqual(nodes, [one, two]);
});

test('an object that only looks like a node is text', () => {
  assert.equal(source`<p>${{ nodeType: 1, toString: () => '<b>' }}</p>`, '<p>&lt;b&gt;</p>');
});

test('a value in a tag that is not an attribute value is refused', () => {
  assert.throws(() => source`<p ${'onclick=alert(1)'}>x</p>`, /must be an attribute's/);
  assert.throws(() => source`<${'script'}>x`, /must be an attribute's/);
});
