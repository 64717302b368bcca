import { act, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import { keys } from '../../app/cache.js';
import { queryClient } from '../../app/queryClient.js';
import { model as someModel, reply } from '../../test-data.js';
import { liveText } from './liveText.js';
import { placed, showIn } from './message-test.jsx';
import { Reply } from './Reply.jsx';

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */

const model = someModel({ id: 'small', name: 'Small', demonstration: true, default: true });

/**
 * @param {TranscriptRow|TranscriptRow[]} rows
 * @param {Partial<import('./Reply.jsx').ReplyProps>} [props]
 */
function showReply(rows, props = {}) {
  const all = { ...placed(), last: true, nameOf: () => 'Small', onInspect: vi.fn(), ...props };
  const element = (/** @type {TranscriptRow|TranscriptRow[]} */ now) => <Reply {...all} rows={[now].flat()} />;
  const { become } = showIn(element(rows));
  return { ...all, become: (/** @type {TranscriptRow|TranscriptRow[]} */ now) => become(element(now)) };
}
const button = (/** @type {string} */ name) => screen.getByRole('button', { name });
async function openMenu() {
  await userEvent.click(button('More'));
  await screen.findByRole('menu');
}

beforeEach(() => {
  queryClient.clear();
  queryClient.setQueryData(keys.models, { results: [model, { ...model, id: 'large', name: 'Large' }], runners: [] });
});

describe('a reply', () => {
  test('is an article named after its model, with its place in the conversation', async () => {
    showReply(reply({ id: 'r', content: 'Hello.' }));
    const article = screen.getByRole('article', { name: 'Small' });
    expect(article).toHaveAttribute('aria-posinset', '2');
    expect(await within(article).findByText('Hello.')).toBeInTheDocument();
  });

  test('thinks until its first words, which take the place of the indicator', async () => {
    const pending = reply({ id: 'live', outcome: 'pending', content: '' });
    const { become } = showReply(pending);
    expect(screen.getByText('Thinking…')).toBeInTheDocument();
    act(() => liveText.addChunk({ call_id: 'k', reply_id: 'live', seq: 0, text: 'First words' }));
    expect(await screen.findByText('First words')).toBeInTheDocument();
    expect(screen.queryByText('Thinking…')).toBeNull();
    become({ ...pending, outcome: 'complete', content: 'First words and the rest.' });
    expect(await screen.findByText('First words and the rest.')).toBeInTheDocument();
  });

  test('that failed says why and can be asked for again', async () => {
    const row = reply({ id: 'r', outcome: 'failed', content: '', error: { code: 'x', message: 'The runner is away.' } });
    const { actions } = showReply(row, { last: false });
    expect(screen.getByText('The runner is away.')).toBeInTheDocument();
    await userEvent.click(button('Retry'));
    expect(actions.regenerate).toHaveBeenCalledWith(row);
  });

  test('that failed can be asked of another model where there is one', async () => {
    const row = reply({ id: 'r', outcome: 'failed', content: '', error: { code: 'x', message: 'The runner is away.' } });
    const { actions, become } = showReply(row);
    await userEvent.click(button('Choose another model'));
    expect(actions.askWhatDiffers).toHaveBeenCalledWith(row);
    act(() => queryClient.setQueryData(keys.models, { results: [model], runners: [] }));
    become({ ...row });
    expect(screen.queryByRole('button', { name: 'Choose another model' })).toBeNull();
  });

  test('says what it waits for, in one place, until its first words', async () => {
    showReply(reply({ id: 'waits', outcome: 'pending', content: '' }));
    const told = (/** @type {Partial<import('../../api/types.js').LiveCall>} */ fields) =>
      act(() => liveText.setCallState({ call_id: 'k', reply_id: 'waits', state: 'queued', ...fields }));
    told({ place: 3, waiting: 4, retry_at: null });
    expect(await screen.findByText('Waiting · 2 replies before yours')).toBeInTheDocument();
    told({ state: 'started' });
    expect(await screen.findByText('Thinking…')).toBeInTheDocument();
    told({ state: 'retrying', error: { code: 'runner_loading', message: 'It loads.' }, attempt: 1 });
    expect(await screen.findByText('Loading the model…')).toBeInTheDocument();
    told({ state: 'started' });
    told({ state: 'prefill', processed: 2, total: 5 });
    expect(await screen.findByText('Reading the conversation… 40 %')).toBeInTheDocument();
    expect(screen.getByRole('progressbar', { name: 'Reading the conversation' })).toHaveAttribute('aria-valuenow', '40');
    act(() => liveText.stop('waits'));
    expect(await screen.findByText('Stopping…')).toBeInTheDocument();
    expect(screen.queryByRole('progressbar')).toBeNull();
  });

  test('that did not fit offers to leave out more of what was said before', async () => {
    const error = { code: 'context_overflow', message: 'The prompt is too long.' };
    const row = reply({ id: 'r', outcome: 'failed', content: '', error });
    const { actions } = showReply(row);
    expect(screen.queryByRole('button', { name: 'Retry' })).toBeNull();
    await userEvent.click(button('Retry with fewer earlier messages'));
    expect(actions.regenerate).toHaveBeenCalledWith(row, { tighter_cut: true });
  });

  test('opens what the model saw from its seal, once it is recorded', async () => {
    const row = reply({ id: 'r', content: 'Hello.' });
    const { onInspect, become } = showReply({ ...row, outcome: 'pending' });
    expect(screen.getByRole('button', { name: /what did the model see/ })).toBeDisabled();
    become(row);
    await userEvent.click(screen.getByRole('button', { name: /what did the model see/ }));
    expect(onInspect).toHaveBeenCalledWith(row);
  });

  test('is copied as the Markdown it is', async () => {
    const writeText = vi.fn().mockResolvedValue(undefined);
    showReply(reply({ id: 'r', content: 'Some **bold** text' }));
    const user = userEvent.setup();
    vi.spyOn(navigator.clipboard, 'writeText').mockImplementation(writeText);
    await user.click(button('Copy message'));
    expect(writeText).toHaveBeenCalledWith('Some **bold** text');
  });

  test('says how many earlier messages the model did not get, and shows which', async () => {
    const row = reply({ id: 'r', omitted_count: 12 });
    const { onInspect, become } = showReply(row);
    await userEvent.click(button('12 earlier messages were not sent'));
    expect(onInspect).toHaveBeenCalledWith(row);
    become({ ...row, omitted_count: 1 });
    expect(button('1 earlier message was not sent')).toBeInTheDocument();
    become({ ...row, omitted_count: null });
    expect(screen.queryByText(/not sent/)).toBeNull();
  });
});

describe('another reply', () => {
  test('is asked for with one press, and not while something is on its way', async () => {
    const row = reply({ id: 'r' });
    const { actions, become } = showReply(row);
    await userEvent.click(button('Regenerate'));
    expect(actions.regenerate).toHaveBeenCalledWith(row);
    become({ ...row, outcome: 'pending', content: '' });
    expect(screen.queryByRole('button', { name: 'Regenerate' })).toBeNull();
  });

  test('cannot be asked for while another action is under way', () => {
    showReply(reply({ id: 'r' }), { busy: true });
    expect(button('Regenerate')).toBeDisabled();
  });

  test('may come from another model', async () => {
    const row = reply({ id: 'r' });
    const { actions } = showReply(row);
    await openMenu();
    await userEvent.keyboard('{ArrowDown}');
    expect(screen.getByRole('menuitem', { name: 'Regenerate with…' })).toHaveFocus();
    await userEvent.keyboard('{ArrowRight}');
    await userEvent.click(await screen.findByRole('menuitem', { name: 'Large' }));
    expect(actions.regenerate).toHaveBeenCalledWith(row, { model: 'large' });
  });
});

describe('a reply that ended too early', () => {
  test.each(['truncated', 'interrupted', 'cancelled'])('can go on: %s', async (outcome) => {
    const row = reply({ id: 'r', outcome: /** @type {TranscriptRow['outcome']} */ (outcome), content: 'Half a' });
    const { actions } = showReply(row);
    await userEvent.click(button('Continue'));
    expect(actions.goOn).toHaveBeenCalledWith(row);
  });

  test('cannot where it has no text, nor where it is whole', () => {
    const { become } = showReply(reply({ id: 'r', outcome: 'cancelled', content: '' }));
    expect(screen.queryByRole('button', { name: 'Continue' })).toBeNull();
    become(reply({ id: 'r', outcome: 'complete', content: 'All.' }));
    expect(screen.queryByRole('button', { name: 'Continue' })).toBeNull();
  });

  test('can go on from its menu where more was said below it', async () => {
    const row = reply({ id: 'r', outcome: 'truncated', content: 'Half a' });
    const { actions } = showReply(row, { last: false });
    expect(screen.queryByRole('button', { name: 'Continue' })).toBeNull();
    await openMenu();
    await userEvent.click(screen.getByRole('menuitem', { name: 'Continue' }));
    expect(actions.goOn).toHaveBeenCalledWith(row);
  });
});

describe('a continued reply', () => {
  const begun = reply({ id: 'r1', outcome: 'truncated', content: 'It is **bo' });
  const rest = reply({ id: 'r2', parent_id: 'r1', continues: 'r1', outcome: 'pending', content: '' });

  test('is one article with one text, also while it grows', async () => {
    const { become } = showReply([begun, rest]);
    expect(screen.getAllByRole('article')).toHaveLength(1);
    expect(screen.getByText('Thinking…')).toBeInTheDocument();
    expect(screen.queryByText(/Cut off/)).toBeNull();
    act(() => liveText.addChunk({ call_id: 'k', reply_id: 'r2', seq: 0, text: 'ld** and ' }));
    expect(await screen.findByText('bold')).toHaveProperty('tagName', 'STRONG');
    become([begun, { ...rest, outcome: 'complete', content: 'ld** and done.' }]);
    expect(await screen.findByText(/and done\./)).toBeInTheDocument();
    expect(screen.getByText('bold')).toHaveProperty('tagName', 'STRONG');
  });

  test('is copied whole, has the seal of each part, and goes on from its end', async () => {
    const writeText = vi.fn().mockResolvedValue(undefined);
    const end = { ...rest, outcome: /** @type {const} */ ('cancelled'), content: 'ld** and', call_id: 'k2' };
    const { actions, onInspect } = showReply([begun, end]);
    const user = userEvent.setup();
    vi.spyOn(navigator.clipboard, 'writeText').mockImplementation(writeText);
    await user.click(button('Copy message'));
    expect(writeText).toHaveBeenCalledWith('It is **bold** and');
    await user.click(button('Continue'));
    expect(actions.goOn).toHaveBeenCalledWith(end);
    const seals = screen.getAllByRole('button', { name: /what did the model see/ });
    await user.click(/** @type {HTMLElement} */ (seals.at(-1)));
    expect(onInspect).toHaveBeenCalledWith(end);
  });
});
