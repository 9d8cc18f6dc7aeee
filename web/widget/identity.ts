/**
 * Who the visitor is to the site around the page (docs/signed-identity.md). It is fetched only where a site says it, and
 * stands on its own, like `proof.ts`.
 */
interface Talk {
  readonly view: { readonly known: boolean };
  watch(watcher: () => void): () => void;
  prove(what: "signed", body: object): Promise<{ error?: string }>;
}

/** What this browser knows of the talk so far: who it is, what it has not sent yet, and what is half written. */
const THEIRS = /^yihao\.(visitor$|draft$|out\.)/;

/** Pass on what the site has signed; with an empty text its visitor has gone, and the next one is somebody else. */
export async function identify(token: string, talk: Talk): Promise<void> {
  if (!token) return beginAnew();
  await isKnown(talk);
  const { error } = await talk.prove("signed", { token });
  if (error === "another_user") return beginAnew();
  parent.postMessage({ yihao: "identity", error: error ?? null }, "*");
}

/** The page has a visitor's name once the gateway has greeted it. */
function isKnown(talk: Talk): Promise<void> {
  return new Promise((resolve) => {
    const look = () => talk.view.known && (stop(), resolve());
    const stop = talk.watch(look);
    look();
  });
}

function beginAnew(): void {
  for (const store of [localStorage, sessionStorage])
    for (const key of Object.keys(store)) if (THEIRS.test(key)) store.removeItem(key);
  location.reload();
}
