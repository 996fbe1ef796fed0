// The lines of a route's legs on the map. Points are [x, y] as in /pictures/land.svg: Mercator, 20
// units a degree, north up. Pure.

const UNITS = 20;

export const project = ([east, north]) =>
  [UNITS * east, -UNITS * (180 / Math.PI) * Math.log(Math.tan(Math.PI / 4 + (north * Math.PI) / 360))];

export const placeOf = ({ longitude, latitude }) => project([longitude, latitude]);

const CHANNEL = [[1.5, 51], [-5.3, 48.9]];
const SKAGERRAK = [[3.5, 53.2], [7.2, 57.5], [10.5, 58]];
const SUEZ = [[-9.8, 43.4], [-9.6, 37], [-5.6, 35.9], [3, 37.6], [10.8, 37.7], [25, 33.7], [32.4, 31.5], [32.6, 29.6], [34.5, 27], [38.5, 20.5], [43.2, 12.7]];

/** Ships go around the land: the points where they turn, as [longitude, latitude]. */
const SEA_WAYS = {
  'RTM-DUB': [...CHANNEL, [-6.2, 50.2], [-5.7, 52.3]],
  'RTM-OSL': [...SKAGERRAK, [10.6, 59.1]],
  'RTM-HEL': [...SKAGERRAK, [11.4, 56.8], [12.7, 56], [12.8, 55.2], [16, 55.4], [19.8, 57.5], [21.7, 59.3]],
  'RTM-LIS': [...CHANNEL, [-9.8, 43.4], [-9.8, 38.8]],
  'RTM-REK': [[2.7, 54], [-1.8, 59.6], [-19, 63], [-22.8, 63.6]],
  'RTM-NYC': [...CHANNEL, [-45, 44], [-68, 40.5]],
  'RTM-SIN': [...CHANNEL, ...SUEZ, [45, 12], [51.5, 12.7], [77, 7], [80.6, 5.5], [95, 6], [100.5, 3]],
  'SIN-TYO': [[105, 2], [110, 9], [119, 19], [122, 21.2], [131, 29.5], [139.4, 34.6]],
  'SIN-SYD': [[105.2, .2], [108.5, -3.8], [112, -5.3], [120, -7.3], [126, -7.3], [132, -9.5], [142.2, -10.5], [146, -13], [154, -24], [153.2, -31]],
  'MRS-ATH': [[9.2, 41.3], [15.4, 38.5], [15.7, 37.4], [21.5, 36], [23.2, 36.3], [23.6, 37.5]],
  'STO-HEL': [[19.4, 59.5], [22, 59.4]],
};

/** The points of a leg with both ends. By air it is a curve, by road and rail a straight line. */
export function wayOf(from, to, mode) {
  const [start, end] = [placeOf(from), placeOf(to)];
  if (mode === 'air') return curve(start, end);
  if (mode !== 'sea') return [start, end];
  const there = SEA_WAYS[`${from.code}-${to.code}`];
  const turns = there ?? SEA_WAYS[`${to.code}-${from.code}`]?.toReversed() ?? [];
  return [start, ...turns.map(project), end];
}

const CURVE_STEPS = 24;
/** The height of a curve, as a share of its width. */
const CURVE_HEIGHT = .18;

function curve([x1, y1], [x2, y2]) {
  // The curve is always north of the straight line.
  const side = x2 < x1 ? -1 : 1;
  const middle = [(x1 + x2) / 2 + side * 2 * CURVE_HEIGHT * (y2 - y1), (y1 + y2) / 2 - side * 2 * CURVE_HEIGHT * (x2 - x1)];
  return Array.from({ length: CURVE_STEPS + 1 }, (_, step) => {
    const share = step / CURVE_STEPS;
    const at = (one, mid, other) => (1 - share) ** 2 * one + 2 * share * (1 - share) * mid + share ** 2 * other;
    return [at(x1, middle[0], x2), at(y1, middle[1], y2)];
  });
}

/**
 * @returns {[number[][], number[][]]} the line up to this share of its length (0 to 1), and the
 *   rest
 */
export function split(way, share) {
  const lengths = way.slice(1).map(([x, y], at) => Math.hypot(x - way[at][0], y - way[at][1]));
  let left = share * lengths.reduce((total, length) => total + length, 0);
  const at = lengths.findIndex(length => {
    if (left <= length) return true;
    left -= length;
    return false;
  });
  if (at < 0) return [way, way.slice(-1)];
  const part = lengths[at] ? left / lengths[at] : 0;
  const point = way[at].map((one, axis) => one + part * (way[at + 1][axis] - one));
  return [[...way.slice(0, at + 1), point], [point, ...way.slice(at + 1)]];
}
