/** Copying, with the result announced. */
import { announce } from './announcer.jsx';
import { showToast } from './toasts.jsx';

/**
 * @param {string} text
 * @returns {Promise<boolean>} whether it worked
 */
export async function copyText(text) {
  try {
    await write(text);
  } catch {
    showToast({ text: 'The browser did not allow copying. Select the text and copy it by hand.' });
    return false;
  }
  // The same words twice in a row are not read out again: empty the region first.
  announce('');
  requestAnimationFrame(() => announce('Copied'));
  return true;
}

/** @param {string} text */
async function write(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // Pages served over plain HTTP from another host have no clipboard interface.
  const area = document.createElement('textarea');
  area.value = text;
  area.style.position = 'fixed';
  area.style.opacity = '0';
  document.body.append(area);
  const focused = /** @type {HTMLElement|null} */ (document.activeElement);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  focused?.focus();
  if (!done) throw new Error('copy refused');
}
