/** The page may stand in a frame that `widget.js` opened in another site's page; this is all they say to each other. */
export const embedded = window.parent !== window;

/** `close`: hide the frame. `unread`: this many messages came while it was hidden. No word of the talk goes out. */
export function tellHost(what: "close" | "unread", count = 0): void {
  if (embedded) window.parent.postMessage({ yihao: what, count }, "*");
}

/** Somebody looks at the page. A frame that its host has hidden still counts as visible, and as wide, but is not laid out. */
export function isLookedAt(): boolean {
  return document.visibilityState === "visible" && document.body.getClientRects().length > 0;
}

/** Call at each moment at which `isLookedAt` may have changed: a host that shows the frame again gives it the keyboard. */
export function watchLooks(watcher: () => void): () => void {
  document.addEventListener("visibilitychange", watcher);
  addEventListener("focus", watcher);
  return () => {
    document.removeEventListener("visibilitychange", watcher);
    removeEventListener("focus", watcher);
  };
}
