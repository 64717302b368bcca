/** Pure: a recorded request as a command for a terminal, with exactly the recorded bytes as its body. */

/** As one word for a shell. @param {string} text */
export const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * The body goes through a pipe: as an argument of curl, a long one would be refused by the system.
 * @param {string} body
 * @param {string} runnerUrl empty where it is not known: then the shell's own MODEL_RUNNER_URL is used
 */
export function asCurl(body, runnerUrl) {
  const base = runnerUrl ? quoted(`${runnerUrl.replace(/\/+$/, '')}/chat/completions`) : '"$MODEL_RUNNER_URL/chat/completions"';
  return `printf %s ${quoted(body)} |\n  curl -sSN ${base} -H 'Content-Type: application/json' --data-binary @-`;
}
