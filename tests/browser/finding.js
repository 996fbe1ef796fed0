// The body of a function (kind, words): the element that a user means by this text, or null. An
// element with exactly this name is preferred to a name that starts with it, and that to a name
// that contains it; a dialog is preferred to the page, and the page to its header and footer.

const [kind, words] = arguments;
const KINDS = {
  press: ['button, summary, a[href], [role=button], [role=link], [role=tab], [role=menuitem], [role=switch], input[type=submit]', 'label'],
  field: ['input:not([type=hidden]), select, textarea, [role=combobox], [role=textbox]'],
};

const plain = text => (text ?? '').replace(/\s+/g, ' ').trim().toLowerCase();
const isSeen = element => element.checkVisibility({ checkVisibilityCSS: true }) && element.getClientRects().length > 0;
const inner = element => plain([element.innerText, ...[...element.querySelectorAll('img[alt]')].map(({ alt }) => alt)].join(' '));

/** As in the computation of accessible names, as far as this shop goes. */
function nameOf(element) {
  const by = element.getAttribute('aria-labelledby')?.split(/\s+/).map(id => document.getElementById(id)).filter(Boolean);
  if (by?.length) return plain(by.map(inner).join(' '));
  if (element.ariaLabel) return plain(element.ariaLabel);
  if (kind === 'field') return plain([...element.labels ?? []].map(label => label.textContent).join(' ')) || plain(element.placeholder);
  return inner(element) || plain(element.value) || plain(element.title);
}

const roots = [...document.querySelectorAll('dialog[open]')].reverse();
if (!roots.some(dialog => dialog.matches(':modal'))) roots.push(document.querySelector('main'), document.body);
const wanted = plain(words);
const WAYS = [name => name === wanted, name => name.startsWith(wanted), name => name.includes(wanted)];

for (const selector of KINDS[kind]) {
  for (const is of WAYS) {
    for (const root of roots) {
      const found = [...root.querySelectorAll(selector)].find(element => isSeen(element) && is(nameOf(element)));
      if (found) return found;
    }
  }
}
return null;
