/** Ranges of time as media elements give them (HTML, TimeRanges). */

export class Ranges {
  #ranges;

  /** @param {[number, number][]} ranges seconds */
  constructor(ranges) {
    this.#ranges = ranges;
  }

  get length() {
    return this.#ranges.length;
  }

  /** @param {number} index */
  start(index) {
    return this.#at(index)[0];
  }

  /** @param {number} index */
  end(index) {
    return this.#at(index)[1];
  }

  /** @param {number} index */
  #at(index) {
    const range = this.#ranges[index];
    if (!range) throw new DOMException(`There is no range ${index} of ${this.length}.`, "IndexSizeError");
    return range;
  }
}
