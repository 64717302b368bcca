import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { MemoryRouter } from 'react-router';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import * as api from '../../api/modelCalls.js';
import { Problem } from '../../api/problems.js';
import { queryClient } from '../../app/queryClient.js';
import { setUser } from '../../auth/session.js';
import { runner } from '../../test-data.js';
import CallPanel from './CallPanel.jsx';

vi.mock('../../api/modelCalls.js');

/** @typedef {import('../../api/modelCalls.js').ModelCall} ModelCall */
/** @typedef {import('../../api/modelCalls.js').PromptMessage} PromptMessage */
/** @typedef {import('../../api/modelCalls.js').PromptRecord} PromptRecord */

const SYSTEM = { role: 'system', content: 'Be brief.' };
const FIRST = { role: 'user', content: 'Why is the sky blue?' };
const ANSWER = { role: 'assistant', content: 'Because of scattering.' };
const SECOND = { role: 'user', content: 'And at night?' };

/** @param {PromptMessage[]} messages @param {Record<string, unknown>} settings @param {Partial<PromptRecord>} fields @returns {PromptRecord} */
function prompt(messages, settings = {}, fields = {}) {
  return {
    messages,
    body: JSON.stringify({ messages, model: 'small', ...settings }),
    body_sha256: 'rebuilt-digest',
    recorded_sha256: 'rebuilt-digest',
    identical: true,
    omitted_count: null,
    previous_call_id: null,
    position: '9',
    ...fields,
  };
}

/** @type {ModelCall} */
const CALL = {
  id: 'k2', user: null,
  owner_id: 'ada', conversation_id: 'c1', reply_id: 'r2', purpose: 'reply', source: 'browser', model: 'small',
  requested_at: '2026-03-10T09:00:00Z', started_at: '2026-03-10T09:00:01Z', ended_at: '2026-03-10T09:00:04Z',
  outcome: 'complete', cancel_requested: false, duration_ms: 3000, first_token_ms: 1000,
  usage: { prompt_tokens: 1200, completion_tokens: 40 }, usage_source: 'runner', finish_reason: 'stop', error: null, erased: null,
  version: 3, params: { temperature: '0.7', stop: ['END'] }, leaf_id: 'm2', conversation_version: 6, builder: 'chat/1',
  serializer: 'jcs-rfc8785/1', trimming: null, body_sha256: 'rebuilt-digest', body_length: 321, chunk_count: 12,
  delivered_characters: 99, response_id: 'chatcmpl-1', response_model: 'small-q4', system_fingerprint: 'fp',
  attempts: [
    {
      attempt: 1, runner: 'here', runner_version: 'b100', worker: 'w1', started_at: '2026-03-10T09:00:01Z',
      ended_at: '2026-03-10T09:00:04Z', outcome: 'complete', duration_ms: 3000, first_token_ms: 1000, chunk_count: 12,
      finish_reason: 'stop', error: null,
    },
  ],
  events: [{ event_id: '0e0e0e0e-0000-4000-8000-000000000001', version: 1, topic: 'ModelCallRequested.v1', position: '101', at: '2026-03-10T09:00:00Z' }],
  runner: 'here',
  queue: null,
  position: '120',
};
const RECORDED = {
  version: 7, position: '119', topic: 'ReplyRecorded.v1', at: '2026-03-10T09:00:04Z',
  payload: { event_id: 'event-7', reply_id: 'r2', content: 'Stars.' },
};
const copied = vi.fn(async () => undefined);

beforeEach(() => {
  queryClient.clear();
  copied.mockClear();
  setUser({ id: 'ada', email: 'ada@example.org', display_name: 'Ada', is_staff: false, is_auditor: false, has_password: true });
  vi.mocked(api.fetchModels).mockResolvedValue({
    results: [], runners: [runner({ name: 'here', url: 'http://127.0.0.1:9/v1' })],
  });
  vi.mocked(api.fetchCall).mockResolvedValue(CALL);
  vi.mocked(api.fetchReplyEvents).mockResolvedValue([RECORDED]);
});

/** @param {Record<string, PromptRecord>} prompts by call */
function show(prompts) {
  vi.mocked(api.fetchPrompt).mockImplementation(async (id) => /** @type {PromptRecord} */ (prompts[id]));
  const user = userEvent.setup();
  Object.defineProperty(navigator, 'clipboard', { configurable: true, value: { writeText: copied } });
  render(
    <QueryClientProvider client={queryClient}>
      <MemoryRouter>
        <CallPanel callId="k2" />
      </MemoryRouter>
    </QueryClientProvider>,
  );
  return user;
}
/** @param {ReturnType<typeof userEvent.setup>} user @param {string} name */
const openTab = async (user, name) => user.click(await screen.findByRole('tab', { name }));

describe('what the model saw', () => {
  test('is said to be identical, with both digests, and can be rebuilt again', async () => {
    const user = show({ k2: prompt([SYSTEM, FIRST]) });
    expect(await screen.findByText('Identical to what was sent')).toBeInTheDocument();
    expect(screen.getAllByText('rebuilt-digest')).toHaveLength(2);
    const messages = within(screen.getByRole('list', { name: 'Messages sent' })).getAllByRole('listitem');
    expect(messages.map((item) => item.textContent)).toEqual(['1systemBe brief.', '2userWhy is the sky blue?']);
    await user.click(screen.getByRole('button', { name: 'Rebuild again' }));
    await waitFor(() => expect(api.fetchPrompt).toHaveBeenCalledTimes(2));
  });

  test('that differs is said plainly, with what to do', async () => {
    show({ k2: prompt([FIRST], {}, { identical: false, recorded_sha256: 'recorded-digest' }) });
    expect(await screen.findByText('Differs from what was sent')).toBeInTheDocument();
    expect(screen.getByText('recorded-digest')).toBeVisible();
    expect(screen.getByText('make verify')).toBeInTheDocument();
  });

  test('says what was not sent, and why', async () => {
    const trimming = {
      policy: 'keep-latest', policy_version: 1, first_kept_message_id: 'm9', omitted_count: 12, counted_tokens: 3000,
      context_tokens: 8192,
    };
    vi.mocked(api.fetchCall).mockResolvedValue({ ...CALL, trimming });
    show({ k2: prompt([SYSTEM, FIRST], {}, { omitted_count: 12 }) });
    expect(await screen.findByText(/12 earlier messages were not sent: .*8,192 tokens/)).toBeInTheDocument();
  });

  test('shows all that a message holds, also where that is no text', async () => {
    const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{}' } };
    show({ k2: prompt([FIRST, { role: 'assistant', content: null, tool_calls: [call] }]) });
    const items = within(await screen.findByRole('list', { name: 'Messages sent' })).getAllByRole('listitem');
    expect(items[1]).toHaveTextContent('"name": "weather"');
    expect(items[1]).not.toHaveTextContent('null');
  });

  test('draws the first and the last of a thousand messages, and the others when asked', async () => {
    const many = Array.from({ length: 1000 }, (_, index) => ({ role: 'user', content: `Message ${index + 1}` }));
    const user = show({ k2: prompt(many) });
    const list = await screen.findByRole('list', { name: 'Messages sent' });
    expect(list.children.length).toBeLessThan(30);
    expect(screen.getByText('1,000 messages')).toBeInTheDocument();
    expect(screen.getByText('979 messages between are not drawn.')).toBeInTheDocument();
    expect(screen.queryByText('Message 900')).toBeNull();
    await user.click(screen.getByRole('button', { name: 'Show 100 more' }));
    expect(screen.getByText('Message 900')).toBeInTheDocument();
  });

  test('draws the beginning of a long message, and all of it when asked', async () => {
    const long = `${'word '.repeat(1000)}the end`;
    const user = show({ k2: prompt([{ role: 'user', content: long }]) });
    await screen.findByText('1 message');
    expect(screen.queryByText(/the end/)).toBeNull();
    await user.click(screen.getByRole('button', { name: 'Show all 5,007 characters' }));
    expect(screen.getByText(/the end/)).toBeInTheDocument();
  });

  test('that cannot be had says why, and is asked for again', async () => {
    const gone = new Problem({ status: 404, code: 'not_found', message: 'There is no such call.' });
    vi.mocked(api.fetchPrompt).mockRejectedValueOnce(gone);
    const user = show({ k2: prompt([FIRST]) });
    expect(await screen.findByRole('alert')).toHaveTextContent('There is no such call.');
    await user.click(screen.getByRole('button', { name: 'Retry' }));
    expect(await screen.findByText('Identical to what was sent')).toBeInTheDocument();
  });
});

describe('the other tabs', () => {
  test('Changes: what is the same, new, left out, and which settings differ', async () => {
    const user = show({
      k1: prompt([SYSTEM, FIRST], { temperature: 0.7 }),
      k2: prompt([SYSTEM, ANSWER, SECOND], { temperature: 1 }, { previous_call_id: 'k1' }),
    });
    await openTab(user, 'Changes');
    const summary = (await screen.findByText('1 message the same', { selector: 'li' })).parentElement;
    expect(summary).toHaveTextContent('2 messages new');
    expect(summary).toHaveTextContent('1 message left out');
    expect(screen.getByRole('row', { name: 'temperature 0.7 1' })).toBeInTheDocument();
    expect(screen.getByRole('region', { name: 'Left out: 1 message' })).toHaveTextContent('Why is the sky blue?');
    expect(screen.getByRole('region', { name: 'New: 2 messages' })).toHaveTextContent('And at night?');
  });

  test('Changes: of a first call there are none to tell', async () => {
    const user = show({ k2: prompt([FIRST]) });
    await openTab(user, 'Changes');
    expect(await screen.findByText(/the first call on this branch/)).toBeInTheDocument();
  });

  test('Bytes: the exact body, to copy as it is and as a command', async () => {
    const record = prompt([FIRST]);
    const user = show({ k2: record });
    await openTab(user, 'Bytes');
    expect(screen.getByRole('region', { name: 'Request body' }).textContent).toBe(record.body);
    await user.click(screen.getByRole('button', { name: 'Copy request' }));
    expect(copied).toHaveBeenLastCalledWith(record.body);
    await screen.findByText(`${record.body.length} bytes`);
    await user.click(screen.getByRole('button', { name: 'Copy as curl' }));
    expect(copied).toHaveBeenLastCalledWith(expect.stringContaining("'http://127.0.0.1:9/v1/chat/completions'"));
  });

  test('Bytes: a long body comes in parts', async () => {
    const user = show({ k2: prompt([{ role: 'user', content: 'x'.repeat(30_000) }]) });
    await openTab(user, 'Bytes');
    const body = screen.getByRole('region', { name: 'Request body' });
    expect(body.textContent).toHaveLength(24_000);
    expect(screen.getByRole('button', { name: 'Previous part' })).toBeDisabled();
    await user.click(screen.getByRole('button', { name: 'Next part' }));
    expect(screen.getByText('Part 2 of 2')).toBeInTheDocument();
    expect(screen.getByRole('button', { name: 'Next part' })).toBeDisabled();
  });

  test('Call: model, parameters, figures, attempts, events and the recorded reply', async () => {
    const user = show({ k2: prompt([FIRST]) });
    await openTab(user, 'Call');
    const panel = screen.getByRole('tabpanel', { name: 'Call' });
    for (const [label, value] of [
      ['Model', 'small'], ['Answered as', 'small-q4'], ['temperature', '0.7'], ['stop', '["END"]'],
      ['Tokens in the request', '1,200'], ['Tokens in the reply', '40'], ['Speed', '20 tokens per second'],
      ['Runner', 'here b100'], ['Call', 'k2'], ['Built by', 'chat/1, jcs-rfc8785/1'],
    ]) {
      const terms = within(panel).getAllByText(/** @type {string} */ (label), { selector: 'dt' });
      expect(terms.map((term) => term.nextElementSibling?.textContent)).toContain(value);
    }
    const events = within(within(panel).getByRole('list', { name: 'Recorded events' }));
    expect(await events.findByText('ReplyRecorded.v1')).toBeInTheDocument();
    expect(events.getByText('position 101 · version 1 of the call')).toBeInTheDocument();
    expect(events.getByText('event-7')).toBeInTheDocument();
    expect(within(panel).getByRole('region', { hidden: true, name: 'Recorded reply' })).toHaveTextContent('Stars.');
  });
});
