// The names of hubs on a map: at most three, none over another, at every size of the map.

import { html } from '../html.js';

/**
 * Sizes on the smallest map, as a share of its width or height: a letter, a line, the space around
 * a dot.
 */
const LETTER = .028;
const LINE = .1;
const DOT = .03;

/**
 * The sides of a dot where its name can stand, as [right, down]. The style sheet has a class for
 * each.
 */
const SIDES = { above: [0, -1], below: [0, 1], right: [1, 0], left: [-1, 0] };

/**
 * The names of the last stop, the first stop and the current stop, if there is space for them.
 * @param ways points on the lines between the stops; names avoid them if possible
 */
export function labelsOf(route, stops, at, ways, frame) {
  const inFrame = ([x, y]) => [(x - frame.x) / frame.width, (y - frame.y) / frame.height];
  const dots = stops.map(inFrame);
  // Slightly smaller than the space that names leave around a dot, so that rounding never makes
  // them overlap.
  const taken = dots.map(dot => box(dot, DOT * .9, DOT * .9));
  const better = ways.map(inFrame).map(point => box(point, 0, 0));
  const named = [...new Set([route.length - 1, 0, at])].filter(place => place >= 0);
  return named.map(place => {
    const name = route[place].hub.city;
    const side = freeSide(dots[place], name, [...taken, ...better]) ?? freeSide(dots[place], name, taken);
    if (!side) return null;
    taken.push(room(dots[place], name, side));
    return label(name, dots[place], side);
  });
}

const freeSide = (dot, name, taken) => Object.keys(SIDES).find(side => {
  const wanted = room(dot, name, side);
  return isInside(wanted) && !taken.some(other => meets(wanted, other));
});

function room([x, y], name, side) {
  const [halfWidth, halfHeight] = [(name.length * LETTER) / 2, LINE / 2];
  const [right, down] = SIDES[side];
  return box([x + right * (halfWidth + DOT), y + down * (halfHeight + DOT)], halfWidth, halfHeight);
}

const box = ([x, y], halfWidth, halfHeight) => ({ left: x - halfWidth, right: x + halfWidth, top: y - halfHeight, bottom: y + halfHeight });
const isInside = ({ left, right, top, bottom }) => left > 0 && right < 1 && top > 0 && bottom < 1;
const meets = (one, other) => one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;

/** Hidden from screen readers: the map's own label names the cities. */
function label(name, [x, y], side) {
  const element = html`<span class=${`map-label ${side}`} aria-hidden="true">${name}</span>`.firstElementChild;
  element.style.setProperty('left', `${(100 * x).toFixed(2)}%`);
  element.style.setProperty('top', `${(100 * y).toFixed(2)}%`);
  return element;
}
