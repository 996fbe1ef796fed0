// Names on a map: few, and none over another, however small the map is shown.

import { html } from '../html.js';

/** How large a name is on the smallest map, in parts of it: for each letter, a line's height, and the room around a dot. */
const LETTER = .028;
const LINE = .1;
const DOT = .03;

/** Where a name may stand beside its dot: which way it goes from there. The styles know the same words. */
const SIDES = { above: [0, -1], below: [0, 1], right: [1, 0], left: [-1, 0] };

/**
 * The names of the last stop, the first, and the one that was reached, as far as there is room.
 * @param ways points on the ways between the stops, which names stay clear of where they can
 */
export function labelsOf(route, stops, at, ways, frame) {
  const inFrame = ([x, y]) => [(x - frame.x) / frame.width, (y - frame.y) / frame.height];
  const dots = stops.map(inFrame);
  // A little less than the room that names leave around it, so that no rounding makes them meet.
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

/** The map has words for who does not see it already. */
function label(name, [x, y], side) {
  const element = html`<span class=${`map-label ${side}`} aria-hidden="true">${name}</span>`.firstElementChild;
  element.style.setProperty('left', `${(100 * x).toFixed(2)}%`);
  element.style.setProperty('top', `${(100 * y).toFixed(2)}%`);
  return element;
}
