import { act, render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, test, vi } from 'vitest';

import { reply } from '../../test-data.js';
import { liveText } from './liveText.js';
import { Reply, UserMessage } from './Message.jsx';

/** @param {import('../../api/types.js').TranscriptRow} row */
function showReply(row, last = true) {
  const onRetry = vi.fn();
  const onInspect = vi.fn();
  const element = (/** @type {typeof row} */ now) => (
    <Reply
      row={now} model="Small" last={last} retrying={false} setSize={2} position={2}
      onRetry={onRetry} onInspect={onInspect}
    />
  );
  const { rerender } = render(element(row));
  return { onRetry, onInspect, become: (/** @type {typeof row} */ now) => rerender(element(now)) };
}

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
    const { onRetry } = showReply(row, false);
    expect(screen.getByText('The runner is away.')).toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: 'Retry' }));
    expect(onRetry).toHaveBeenCalledWith(row);
  });

  test('that was cut off keeps its text and says so', async () => {
    showReply(reply({ id: 'r', outcome: 'interrupted', content: 'Half a', error: { code: 'x', message: 'The connection was cut.' } }));
    expect(await screen.findByText('Half a')).toBeInTheDocument();
    expect(screen.getByText('The connection was cut.')).toBeInTheDocument();
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
    await user.click(screen.getByRole('button', { name: 'Copy message' }));
    expect(writeText).toHaveBeenCalledWith('Some **bold** text');
  });
});

describe('a message of the person', () => {
  test('is shown as it was written, without Markdown', () => {
    render(<UserMessage content={'**not bold**\n<b>x</b>'} at="2026-03-10T09:00:00Z" sending={false} setSize={1} position={1} />);
    expect(screen.getByRole('article', { name: 'You' })).toHaveTextContent('**not bold** <b>x</b>');
  });

  test('says so while it is on its way', () => {
    render(<UserMessage content="Hello" at={null} sending setSize={1} position={1} />);
    expect(screen.getByText('Sending…')).toBeInTheDocument();
    expect(screen.queryByRole('button', { name: 'Copy message' })).toBeNull();
  });
});
