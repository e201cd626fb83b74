/** Stores that remember their value in the browser, under `fondaco.<name>`, and follow it across tabs. */
import { createStore, type Store } from "./store";

/** A store kept in local storage. `isValid` guards against what an older version or a person's hand left there. */
export function persistedStore<T>(name: string, isValid: (value: unknown) => value is T, otherwise: T): Store<T> {
  const key = `fondaco.${name}`;
  const store = createStore(readStored(key, isValid) ?? otherwise);
  addEventListener("storage", (event) => {
    if (event.key === key) store.set(readStored(key, isValid) ?? otherwise);
  });
  return {
    ...store,
    set: (value) => {
      store.set(value);
      writeStored(key, value);
    },
  };
}

function readStored<T>(key: string, isValid: (value: unknown) => value is T): T | undefined {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(key) ?? "null");
    return isValid(value) ? value : undefined;
  } catch {
    return undefined; // storage is switched off, or the text is no JSON: the default is a good answer
  }
}

function writeStored(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage is switched off or full: the choice holds for this visit, which is all that can be had.
  }
}
