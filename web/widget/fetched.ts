/** What few need is fetched when it is wanted. The build does not follow the name: see `build/pages.mjs`. */
export function fetched<Part>(name: string): Promise<Part> {
  return import(/* @vite-ignore */ name) as Promise<Part>;
}
