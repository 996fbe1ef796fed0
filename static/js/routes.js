// Which page an address asks for. Pure: the address is a value, so this file is tested without a
// browser.

/**
 * @param table [['/orders/:id', load], …]; `:id` stands for one part of the path
 * @returns the table in the form that `routeAt` reads
 */
export const routesOf = table => table.map(([path, load]) => [new RegExp(`^${path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}/?$`), load]);

/**
 * The first row of the table that fits the path; a `/` at the end of the path does not count.
 * @returns {{load: function, params: object} | null} null where no row fits
 */
export function routeAt(routes, path) {
  const [pattern, load] = routes.find(([each]) => each.test(path)) ?? [];
  return pattern ? { load, params: { ...path.match(pattern).groups } } : null;
}

/**
 * Without percent encoding. A path that is not encoded correctly stays as it is and leads to the
 * missing page.
 */
export function decoded(path) {
  try {
    return decodeURI(path);
  } catch {
    return path;
  }
}

/**
 * `?q=lamp&sort=price` is `{ q: 'lamp', sort: 'price' }`; of a name that appears twice the last
 * value counts.
 */
export const queryOf = search => Object.fromEntries(new URLSearchParams(search));
