// The shop's messages to the customer.

import { html } from '../html.js';
import { get, post, withQuery } from '../api.js';
import { moment } from '../format.js';
import { announce, empty, problemNotice } from '../notices.js';
import { forSignedIn } from '../parts/gate.js';
import { rowsOutline } from '../parts/outlines.js';
import { navigate, reload } from '../router.js';
import { shop } from '../shop.js';

export const outline = () => rowsOutline('Inbox');

export default forSignedIn('Inbox', async ({ query, signal }) => {
  const { items, next_cursor: next } = await get(withQuery('/notifications', { cursor: query.cursor }), { signal });
  shop.countUnread().catch(() => {});
  const unread = items.filter(({ read }) => !read);
  const readAll = async () => {
    await Promise.allSettled(unread.map(({ id }) => post(`/notifications/${id}/read`)));
    reload();
  };
  const body = html`
    <div class="heading-row">
      <h1>Inbox</h1>
      ${unread.length > 0 && html`<button type="button" id="read-all" onclick=${readAll}>Mark all on this page as read</button>`}
    </div>
    ${items.length ? html`<ul class="messages">${items.map(message)}</ul>` : empty('You have no messages.')}
    <nav class="paging" aria-label="Pages">
      ${query.cursor && html`<a class="button" href="/inbox">Newest</a>`}
      ${next && html`<a class="button" href=${withQuery('/inbox', { cursor: next })}>Older</a>`}
    </nav>`;
  return { title: 'Inbox', body };
});

function message({ id, title, body, link, created_at: at, read }) {
  const open = async event => {
    event.preventDefault();
    if (!read) {
      await post(`/notifications/${id}/read`).catch(() => {});
      shop.countUnread().catch(() => {});
    }
    navigate(link);
  };
  const markRead = async ({ currentTarget }) => {
    try {
      await post(`/notifications/${id}/read`);
      announce(`“${title}” is marked as read.`);
      await reload();
    } catch (problem) {
      currentTarget.after(problemNotice(problem));
    }
  };
  return html`
    <li class=${read ? '' : 'unread'}>
      <h2>${link ? html`<a class="cover" href=${link} onclick=${open}>${title}</a>` : title}${!read && html`<span class="visually-hidden"> (unread)</span>`}</h2>
      <time class="soft" datetime=${at}>${moment(at)}</time>
      <p>${body}</p>
      ${!read && html`<button type="button" class="quiet" id=${`read-${id}`} aria-label=${`Mark “${title}” as read`} onclick=${markRead}>Mark as read</button>`}
    </li>`;
}
