/**
 * A live playlist with parts as one list of pieces: parts where it has them, else whole segments.
 *
 *     seg 7 | seg 8: part part part | part part (9, not whole yet)   ->   7, 8, 8.001, 8.002, 9, 9.001
 *
 * Numbers last: when the parts of segment 8 are not named any more, 8.002 is the third coded segment of its file.
 */

/** @import { Media, Place } from "../types/internal.d.ts" */

/** A segment has fewer pieces. */
const MOST = 1000;

/** Number of a piece.
 * @param {number} segment
 * @param {number} piece counted from 0 */
export const numberOf = (segment, piece) => segment + piece / MOST;

/** Which piece of its segment a number means.
 * @param {number} number */
export const pieceOf = (number) => Math.round((number % 1) * MOST);

/** What a playlist lists, piece by piece.
 * @param {Media} media
 * @returns {Place[]} */
export function piecesOf({ segments, open = [] }) {
  return [...segments.flatMap((segment) => segment.parts ?? [segment]), ...open];
}
