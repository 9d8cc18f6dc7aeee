import { computed, ref, shallowRef } from "vue";
import { Refused, ask, post } from "../api";
import { type Asking, failureOf } from "../history";

/** One place that differs. `before` or `after` is null where it was not, or is not any more. */
export interface Change {
  readonly at: readonly string[];
  readonly before: unknown;
  readonly after: unknown;
}

export interface Version {
  readonly version: number;
  readonly author: string;
  readonly at: number;
  readonly why: string;
}

export type Kind = "hours" | "routing" | "ways" | "wrap" | "canned" | "words" | "prompts" | "roles" | "agents";

/** Why a document was not put in force: a place and a fault, or that another was sooner. */
export type Fault = { readonly at: string; readonly fault: string } | "moved" | "failed";

const address = (kind: Kind) => `/api/admin/rules/${kind}`;
const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

function faultOf(refusal: unknown): Fault {
  if (!(refusal instanceof Refused)) return "failed";
  if (refusal.code === "moved") return "moved";
  const { at, fault } = refusal.more;
  return typeof fault === "string" ? { at: String(at), fault } : "failed";
}

/** A document in force, and what an administrator makes of it before it is put there. */
export function useDocument<T extends object>(kind: Kind) {
  const asking = ref<Asking>("busy");
  const version = ref(0);
  const inForce = shallowRef<T | null>(null);
  const draft = ref<T | null>(null);
  const isChanged = computed(() => JSON.stringify(draft.value) !== JSON.stringify(inForce.value));

  async function load(): Promise<void> {
    asking.value = "busy";
    try {
      const shown = (await ask(address(kind))) as { version: number; document: T };
      version.value = shown.version;
      inForce.value = shown.document;
      draft.value = copy(shown.document);
      asking.value = "done";
    } catch (refusal) {
      asking.value = failureOf(refusal);
    }
  }

  const undo = () => (draft.value = copy(inForce.value));

  /** What the draft would change in what is in force now, whoever put it there. */
  async function compare(): Promise<readonly Change[] | Fault> {
    try {
      const answer = (await post(`${address(kind)}/compare`, { document: draft.value })) as { version: number; changes: Change[] };
      version.value = answer.version;
      return answer.changes;
    } catch (refusal) {
      return faultOf(refusal);
    }
  }

  async function put(why: string): Promise<Fault | null> {
    return change(address(kind), { document: draft.value, expected: version.value, why });
  }

  async function rollBack(to: number, why: string): Promise<Fault | null> {
    return change(`${address(kind)}/rollback`, { to, expected: version.value, why });
  }

  async function change(path: string, given: object): Promise<Fault | null> {
    try {
      await post(path, given);
      await load();
      return null;
    } catch (refusal) {
      return faultOf(refusal);
    }
  }

  async function versions(before?: number): Promise<readonly Version[]> {
    const query = before ? `?before=${before}` : "";
    return ((await ask(`${address(kind)}/versions${query}`)) as { versions: Version[] }).versions;
  }

  /** What a version changed, and what going back to it would. */
  async function look(which: number): Promise<{ readonly changes: readonly Change[]; readonly back: readonly Change[] }> {
    return (await ask(`${address(kind)}/versions/${which}`)) as { changes: Change[]; back: Change[] };
  }

  return { kind, asking, version, inForce, draft, isChanged, load, undo, compare, put, rollBack, versions, look };
}

export type Documented = ReturnType<typeof useDocument<object>>;
