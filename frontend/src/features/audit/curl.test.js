import { execFileSync } from 'node:child_process';
import process from 'node:process';

import { expect, test } from 'vitest';

import { asCurl } from './curl.js';

/**
 * What a shell hands to curl: a function of that name stands in for it.
 * @param {string} command
 * @param {Record<string, string>} [env]
 */
function runBy(command, env = {}) {
  const script = `curl() { printf '%s\\n' "$@"; printf -- '---\\n'; cat; }\n${command}`;
  const output = execFileSync('sh', ['-c', script], { encoding: 'utf8', env: { PATH: process.env.PATH, ...env } });
  const [words = '', ...rest] = output.split('---\n');
  return { words: words.trimEnd().split('\n'), body: rest.join('---\n') };
}

test.each([
  ['plain', '{"messages":[{"content":"Hello","role":"user"}]}'],
  ['quotes, dollars, percents and backslashes', `{"content":"it's '$HOME' \`id\` %s %n \\\\n \\"x\\""}`],
  ['other scripts', '{"content":"Grüße, 世界 🌈"}'],
  ['a line break at the end', 'not json\n'],
])('the body arrives byte for byte: %s', (_, body) => {
  expect(runBy(asCurl(body, 'http://localhost:1234/v1')).body).toBe(body);
});

test('the address is the runner’s where it is known', () => {
  const { words } = runBy(asCurl('{}', 'http://localhost:1234/v1/'));
  expect(words).toContain('http://localhost:1234/v1/chat/completions');
  expect(words).toContain('Content-Type: application/json');
});

test('the address is the shell’s own MODEL_RUNNER_URL where it is not known', () => {
  const { words } = runBy(asCurl('{}', ''), { MODEL_RUNNER_URL: 'http://elsewhere/v1' });
  expect(words).toContain('http://elsewhere/v1/chat/completions');
});

test('a body longer than any single argument may be is no trouble', () => {
  const body = JSON.stringify({ content: 'word '.repeat(60_000) });
  expect(asCurl(body, '')).toContain('--data-binary @-');
  expect(asCurl(body, '').startsWith('printf %s ')).toBe(true);
});
