import type { Component } from "vue";

/**
 * What stands beside a contact besides the contact itself. Each is drawn for the contact that is in front, as its property
 * `contact`; a place whose part is not there yet says so, so that agents find it where it will be.
 */
export const PLACES: readonly { readonly name: "knowledge" | "transcript" | "order"; readonly part: Component | null }[] = [
  { name: "knowledge", part: null },
  { name: "transcript", part: null },
  { name: "order", part: null },
];
