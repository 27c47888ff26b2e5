/** Playlists before they are parsed: variables put in their places (RFC 8216, second edition, §4.3 and §4.4.2.3), and
 * what a server left out put back from an older copy (§6.2.5.1). Addresses and quoted strings hold variables; a
 * playlist that defines none keeps whatever looks like one. */

import { ContainerError } from "../codec/errors.js";

const DEFINE = "#EXT-X-DEFINE:";
/** Tags of a playlist as a whole; all others belong to the segment that follows them. */
const HEAD = new Set([
  "#EXTM3U",
  "#EXT-X-VERSION",
  "#EXT-X-INDEPENDENT-SEGMENTS",
  "#EXT-X-START",
  "#EXT-X-DEFINE",
  "#EXT-X-TARGETDURATION",
  "#EXT-X-MEDIA-SEQUENCE",
  "#EXT-X-DISCONTINUITY-SEQUENCE",
  "#EXT-X-ENDLIST",
  "#EXT-X-PLAYLIST-TYPE",
  "#EXT-X-I-FRAMES-ONLY",
  "#EXT-X-PART-INF",
  "#EXT-X-SERVER-CONTROL",
]);
/** Tags that hold for all segments behind them. */
const LASTING = new Set(["#EXT-X-MAP", "#EXT-X-KEY"]);
/** Old segments are not offered in parts any more: servers name those of the last three target durations. */
const OF_PARTS = new Set(["#EXT-X-PART", "#EXT-X-PRELOAD-HINT"]);

const BREAK = "#EXT-X-DISCONTINUITY";

/** The lines of a text that are not empty.
 * @param {string} text */
export function linesOf(text) {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** Lines with the values of variables, and these by name.
 * @param {string[]} lines
 * @param {string} url of the playlist, behind redirects
 * @param {Map<string, string>} imported what its multivariant playlist defines
 * @returns {{lines: string[], variables: Map<string, string>}}
 * @throws ContainerError for a variable that is defined twice, without a value, or not before it is used */
export function substitute(lines, url, imported) {
  /** @type {Map<string, string>} */
  const variables = new Map();
  if (!lines.some((line) => line.startsWith(DEFINE))) return { lines, variables };
  const filled = (/** @type {string} */ text) =>
    text.replace(/\{\$([\w-]+)\}/g, (_, name) => {
      const value = variables.get(name);
      if (value === undefined) throw new ContainerError(`playlist: ${name} is used before EXT-X-DEFINE defines it`);
      return value;
    });
  const found = [];
  for (const line of lines) {
    if (line.startsWith(DEFINE)) {
      const { name, value } = definitionOf(line.slice(DEFINE.length), url, imported);
      if (variables.has(name)) throw new ContainerError(`playlist: EXT-X-DEFINE defines ${name} twice`);
      variables.set(name, value);
    } else if (!line.startsWith("#")) found.push(filled(line));
    else found.push(line.startsWith("#EXT") ? line.replace(/"[^"]*"/g, filled) : line);
  }
  return { lines: found, variables };
}

/** @param {string} attributes
 * @param {string} url
 * @param {Map<string, string>} imported */
function definitionOf(attributes, url, imported) {
  const found = new Map([...attributes.matchAll(/([A-Z0-9-]+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
  const kinds = ["NAME", "IMPORT", "QUERYPARAM"].filter((kind) => found.has(kind));
  const name = found.get(kinds[0]) ?? "";
  if (kinds.length !== 1 || !/^[\w-]+$/.test(name))
    throw new ContainerError("playlist: EXT-X-DEFINE needs one of NAME, IMPORT and QUERYPARAM");
  let value;
  if (kinds[0] === "NAME") value = found.get("VALUE");
  else if (kinds[0] === "IMPORT") value = imported.get(name);
  else value = new URL(url).searchParams.get(name) || undefined;
  if (value === undefined || /["\r\n]/.test(value))
    throw new ContainerError(`playlist: EXT-X-DEFINE: there is no value of ${name}`);
  return { name, value };
}

/** A media playlist without EXT-X-SKIP, null where the copy lacks what was left out.
 * @param {string[]} sent lines of an answer to a request with _HLS_skip
 * @param {string[]} copy lines of the same playlist as it was before, whole
 * @returns {string[] | null} */
export function wholePlaylist(sent, copy) {
  const place = sent.findIndex((line) => tagOf(line) === "#EXT-X-SKIP");
  if (place < 0) return sent;
  const count = Number(/SKIPPED-SEGMENTS=(\d{1,9})(?:,|$)/.exec(sent[place])?.[1]);
  const gone = numberOf(sent, "MEDIA-SEQUENCE") - numberOf(copy, "MEDIA-SEQUENCE");
  const segments = segmentsOf(copy);
  if (!(count >= 0) || !(gone >= 0) || segments.length < gone + count) return null;
  const kept = segments.slice(gone, gone + count);
  // a byte range that begins where the one before it ends, which the copy may not tell
  if (kept[0]?.some((line) => tagOf(line) === "#EXT-X-BYTERANGE" && !line.includes("@"))) return null;
  const before = segments.slice(0, gone).flat();
  const breaks = numberOf(copy, "DISCONTINUITY-SEQUENCE") + before.filter((line) => line === BREAK).length;
  // the number counts what stood before the first segment that is left
  if (numberOf(sent, "DISCONTINUITY-SEQUENCE") > breaks) kept[0] = kept[0]?.filter((line) => line !== BREAK) ?? [];
  const lasting = new Map(before.filter((line) => LASTING.has(tagOf(line))).map((line) => [tagOf(line), line]));
  const copied = kept.flat().filter((line) => !OF_PARTS.has(tagOf(line)));
  return [...sent.slice(0, place), ...lasting.values(), ...copied, ...sent.slice(place + 1)];
}

/** @param {string} line */
function tagOf(line) {
  return line.startsWith("#") ? line.split(":", 1)[0] : "";
}

/** @param {string[]} lines
 * @param {string} name */
function numberOf(lines, name) {
  const line = lines.find((one) => tagOf(one) === `#EXT-X-${name}`);
  return line === undefined ? 0 : Number(line.slice(line.indexOf(":") + 1) || NaN);
}

/** The lines of each segment up to its address.
 * @param {string[]} lines */
function segmentsOf(lines) {
  /** @type {string[][]} */
  const found = [];
  /** @type {string[]} */
  let own = [];
  for (const line of lines) {
    if (HEAD.has(tagOf(line))) continue;
    own.push(line);
    if (!line.startsWith("#")) {
      found.push(own);
      own = [];
    }
  }
  return found;
}
