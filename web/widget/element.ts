/** An element with what it shows: for what is fetched when it is wanted, where Preact would be a second one. */
export function element<K extends keyof HTMLElementTagNameMap>(
  kind: K,
  facts: Partial<HTMLElementTagNameMap[K]>,
  ...parts: Node[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(kind), facts);
  made.append(...parts);
  return made;
}
