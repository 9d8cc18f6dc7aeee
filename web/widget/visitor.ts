/** Who this browser is to the gateway: a signed name that it was given once, without a log-in. */
export const VISITOR = "visitor";

/** What the gateway says to a file that it does not take. */
export type FileRefusal = "too_large" | "kind" | "failed";

export interface Uploaded {
  readonly file: string;
  readonly name: string;
  readonly content_type: string;
  readonly size: number;
}

export class Visitor {
  private token: string | null;

  /** `key` is where the name lies: the page that a link opens has one of its own. */
  constructor(
    private readonly store: Storage,
    private readonly key: string,
  ) {
    this.token = store.getItem(key);
  }

  /** A single-use ticket for the socket. A name that the gateway no longer knows is replaced by a new one. */
  async ticket(): Promise<string> {
    const response = await fetch("/api/webchat/visitor", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Yihao": "1" },
      body: JSON.stringify(this.token ? { visitor: this.token } : {}),
    });
    if (!response.ok) {
      if (response.status === 401) this.forget();
      throw new Error(`no ticket: ${response.status}`);
    }
    const answer = (await response.json()) as { visitor: string; ticket: string };
    this.token = answer.visitor;
    this.store.setItem(this.key, answer.visitor);
    return answer.ticket;
  }

  async upload(file: File): Promise<Uploaded | FileRefusal> {
    let response: Response;
    try {
      response = await fetch("/api/webchat/files", {
        method: "POST",
        headers: {
          "Content-Type": file.type || "application/octet-stream",
          "X-Filename": encodeURIComponent(file.name),
          "X-Visitor": this.token ?? "",
          "X-Yihao": "1",
        },
        body: file,
      });
    } catch {
      return "failed";
    }
    if (response.ok) return (await response.json()) as Uploaded;
    return response.status === 413 ? "too_large" : response.status === 415 ? "kind" : "failed";
  }

  /** Prove who this is, or ask for what it takes: see `channels/webchat/proofs.py`. */
  async prove(what: "send" | "prove" | "scan" | "signed", body: object): Promise<{ error?: string; svg?: string }> {
    try {
      const response = await fetch(`/api/webchat/verify/${what}`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Visitor": this.token ?? "", "X-Yihao": "1" },
        body: JSON.stringify(body),
      });
      return (await response.json()) as { error?: string; svg?: string };
    } catch {
      return { error: "failed" };
    }
  }

  /** Fetched with this visitor's name, which a plain address in an `<img>` could not carry. */
  async fetchFile(id: string): Promise<Blob> {
    const response = await fetch(`/api/webchat/files/${encodeURIComponent(id)}`, {
      headers: { "X-Visitor": this.token ?? "" },
    });
    if (!response.ok) throw new Error(`no file: ${response.status}`);
    return response.blob();
  }

  private forget(): void {
    this.token = null;
    this.store.removeItem(this.key);
  }
}
