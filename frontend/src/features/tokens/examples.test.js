import { expect, test } from 'vitest';

import { baseUrl, curlExample, pythonExample } from './examples.js';

const FACTS = { origin: 'https://chat.example.org', token: 'abc123', model: "it's \"small\"" };

test('programs are told the address by which this browser came', () => {
  expect(baseUrl(FACTS.origin)).toBe('https://chat.example.org/v1');
});

test('the curl example is one command, in which no name of a model ends its quotes', () => {
  expect(curlExample(FACTS)).toBe(
    `curl 'https://chat.example.org/v1/chat/completions' \\
  -H 'Authorization: Bearer abc123' \\
  -H 'Content-Type: application/json' \\
  -d '{"model":"it'\\''s \\"small\\"","messages":[{"role":"user","content":"Hello!"}]}'`,
  );
});

test('the Python example names address, token and model as Python texts', () => {
  const code = pythonExample(FACTS);
  expect(code).toContain('base_url="https://chat.example.org/v1"');
  expect(code).toContain('api_key="abc123"');
  expect(code).toContain('model="it\'s \\"small\\""');
});
