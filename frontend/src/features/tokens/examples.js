/** Pure: calls to this installation, ready to be pasted into a terminal or a program. */
import { quoted } from '../audit/curl.js';

/** Stands where the token belongs while it is not known. */
export const TOKEN_TO_FILL_IN = 'YOUR-TOKEN';

/**
 * @typedef {object} ExampleFacts
 * @property {string} origin how this browser reaches the installation, such as `http://127.0.0.1:8000`
 * @property {string} token
 * @property {string} model
 */

/** @param {string} origin */
export const baseUrl = (origin) => `${origin}/v1`;

/** @param {ExampleFacts} facts */
export function curlExample({ origin, token, model }) {
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello!' }] });
  return [
    `curl ${quoted(`${baseUrl(origin)}/chat/completions`)}`,
    `-H ${quoted(`Authorization: Bearer ${token}`)}`,
    `-H ${quoted('Content-Type: application/json')}`,
    `-d ${quoted(body)}`,
  ].join(' \\\n  ');
}

/** A JSON text is a Python text as well. @param {ExampleFacts} facts */
export function pythonExample({ origin, token, model }) {
  return `from openai import OpenAI

client = OpenAI(
    base_url=${JSON.stringify(baseUrl(origin))},
    api_key=${JSON.stringify(token)},
)
answer = client.chat.completions.create(
    model=${JSON.stringify(model)},
    messages=[{"role": "user", "content": "Hello!"}],
)
print(answer.choices[0].message.content)
`;
}
