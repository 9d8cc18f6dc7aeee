/** The microphones and loudspeakers of this browser, and which of them an agent has chosen for what. */
const KEPT = "yihao.desk.devices";

export type Use = "microphone" | "speaker" | "ringer";
/** The browser's own choice, by no name. */
export const USUAL = "";

export interface Device {
  readonly id: string;
  readonly name: string;
}

export type Choice = Record<Use, string>;

export function chosenDevices(): Choice {
  const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}") as Partial<Choice>;
  return { microphone: USUAL, speaker: USUAL, ringer: USUAL, ...kept };
}

export function rememberDevices(choice: Choice): void {
  localStorage.setItem(KEPT, JSON.stringify(choice));
}

/** What is plugged in. Names are told once the microphone has been lent. */
export async function presentDevices(): Promise<Record<"microphone" | "speaker", Device[]>> {
  const all = await navigator.mediaDevices.enumerateDevices();
  const of = (kind: MediaDeviceKind): Device[] =>
    all.flatMap(({ kind: its, deviceId, label }) => (its === kind && deviceId !== "default" ? [{ id: deviceId, name: label }] : []));
  return { microphone: of("audioinput"), speaker: of("audiooutput") };
}

/** The one that was chosen; one that is not there any more gives way to the usual one. */
export async function openMicrophone(id: string): Promise<MediaStream> {
  return navigator.mediaDevices.getUserMedia({ audio: id === USUAL ? true : { deviceId: { ideal: id } } });
}

interface Sink {
  setSinkId?(id: string): Promise<void>;
}

/** Let a sound come out there. A loudspeaker that is not there leaves it where it was, to be heard at all. */
export function direct(sound: object | null, id: string): void {
  void (sound as Sink | null)?.setSinkId?.(id).catch(() => undefined);
}
