/** The elements of a DASH manifest: parsed without loading anything, read with inheritance. */

import { ContainerError } from "../codec/errors.js";

/** The element MPD of a manifest's text.
 * @param {string} text
 * @returns {Element} */
export function parseTree(text) {
  if (text.slice(0, 4096).includes("<!DOCTYPE")) throw new ContainerError("a DOCTYPE is not allowed in a manifest");
  const root = new DOMParser().parseFromString(text, "application/xml");
  const wrong = root.querySelector("parsererror");
  if (wrong) {
    const [, why = ""] = /(error on line .*)/.exec(wrong.textContent ?? "") ?? [];
    throw new ContainerError(`it is no XML${why ? ` (${why.trim()})` : ""}`);
  }
  const name = root.documentElement.localName;
  if (name !== "MPD") throw new ContainerError(`it begins with ${name}, MPD wanted`);
  return root.documentElement;
}

/** @param {Element} element
 * @param {string} name
 * @returns {Element[]} */
export function childrenOf(element, name) {
  return [...element.children].filter((child) => child.localName === name);
}

/** Elements of a name in a path of elements, the innermost first: what one lacks is inherited.
 * @param {Element[]} path from the outermost on
 * @param {string} name */
export function inherited(path, name) {
  return [...path].reverse().flatMap((element) => childrenOf(element, name).slice(0, 1));
}

/** The attribute of the first element that has it, or null.
 * @param {Element[]} found
 * @param {string} name */
export function attributeOf(found, name) {
  return found.find((element) => element.hasAttribute(name))?.getAttribute(name) ?? null;
}

/** @param {Element[]} found
 * @param {string} name
 * @param {number} otherwise
 * @throws ContainerError if it is no number */
export function numberOf(found, name, otherwise) {
  const text = attributeOf(found, name);
  if (text === null) return otherwise;
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value))
    throw new ContainerError(`${found.find((e) => e.hasAttribute(name))?.localName}@${name} "${text}" is no number`);
  return value;
}

/** Ticks a second.
 * @param {Element[]} found */
export function timescaleOf(found) {
  const scale = numberOf(found, "timescale", 1);
  if (!(scale > 0)) throw new ContainerError(`${found[0].localName}@timescale is ${scale}`);
  return scale;
}

/** A path's address: every BaseURL on the way, one relative to the other.
 * @param {Element[]} path
 * @param {string} url of the manifest */
export function baseOf(path, url) {
  let base = url;
  for (const element of path) {
    const text = childrenOf(element, "BaseURL")[0]?.textContent?.trim();
    if (text) base = addressOf(text, base);
  }
  return base;
}

/** @param {string} reference
 * @param {string} base */
export function addressOf(reference, base) {
  try {
    return new URL(reference, base).href;
  } catch {
    throw new ContainerError(`${reference} is no address`);
  }
}

/** The bytes of `first-last`.
 * @param {string} text */
export function rangeOf(text) {
  const [, first, last] = /^(\d+)-(\d+)$/.exec(text.trim()) ?? [];
  if (first === undefined || Number(last) < Number(first))
    throw new ContainerError(`the byte range ${text} is none`);
  return { start: Number(first), end: Number(last) + 1 };
}
