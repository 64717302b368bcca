/** The theme a person chose: light, dark, or what the system says. Kept in this browser only. */

/** @typedef {'system'|'light'|'dark'} ThemeChoice */

const KEY = 'verbatim:theme';
/** @type {Set<() => void>} */
const listeners = new Set();

/** @returns {ThemeChoice} */
export function themeChoice() {
  const stored = readStored();
  return stored === 'light' || stored === 'dark' ? stored : 'system';
}

function readStored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    // Storage can be switched off by the browser: then the choice lasts until the page is left.
    return document.documentElement.dataset.themeChoice ?? null;
  }
}

/** @param {ThemeChoice} choice */
export function chooseTheme(choice) {
  document.documentElement.dataset.themeChoice = choice;
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // Same as above: nothing to keep it in.
  }
  applyTheme();
  listeners.forEach((listener) => listener());
}

function applyTheme() {
  const choice = themeChoice();
  const dark = choice === 'dark' || (choice === 'system' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
}

/** Follow the system and other tabs from now on. */
export function watchTheme() {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', applyTheme);
  window.addEventListener('storage', (event) => {
    if (event.key !== KEY) return;
    applyTheme();
    listeners.forEach((listener) => listener());
  });
}

/** @param {() => void} listener */
export function subscribeToTheme(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
