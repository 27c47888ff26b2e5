/** Types of the player with its controls. */

import type { GVideoPlayer, PlayerOptions } from "./gvideo-player.js";

/** Fills an element with picture, captions, seek bar, buttons and menu; the page needs style.css. */
export class PlayerView {
  /** keys: what is listened to for keys, by default the container. */
  constructor(container: HTMLElement, url: string | Blob, options?: PlayerOptions & { keys?: HTMLElement | Document });

  readonly container: HTMLElement;
  readonly player: GVideoPlayer;
  /** Shows a remark that goes away again. */
  note(text: string): void;
  /** Stops everything and empties the container. */
  dispose(): void;
}
