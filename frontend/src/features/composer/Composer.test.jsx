import { fireEvent, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import { Problem } from '../../api/problems.js';
import { Composer } from './Composer.jsx';
import { draftOf, forgetLoadedDrafts } from './drafts.js';
import { setSendProblem } from './outbox.js';

const onSend = vi.fn();
const onStop = vi.fn();
/** @param {{replying?: boolean}} [props] */
const show = ({ replying = false } = {}) =>
  render(<Composer userId="ada" draftId="c1" replying={replying} onSend={onSend} onStop={onStop} tools={null} />);
const box = () => screen.getByRole('textbox', { name: 'Message' });

beforeEach(() => {
  localStorage.clear();
  forgetLoadedDrafts();
  setSendProblem('c1', null);
  onSend.mockReset();
  onStop.mockReset();
});

describe('the composer', () => {
  test('sends on Enter and keeps the focus', async () => {
    show();
    await userEvent.type(box(), 'Hello{Enter}');
    expect(onSend).toHaveBeenCalledOnce();
    expect(box()).toHaveFocus();
  });

  test('makes a line on Shift+Enter', async () => {
    show();
    await userEvent.type(box(), 'a{Shift>}{Enter}{/Shift}b');
    expect(box()).toHaveValue('a\nb');
    expect(onSend).not.toHaveBeenCalled();
  });

  test('sends nothing while characters are being composed', () => {
    show();
    fireEvent.change(box(), { target: { value: 'にほん' } });
    fireEvent.compositionStart(box());
    fireEvent.keyDown(box(), { key: 'Enter' });
    fireEvent.compositionEnd(box());
    fireEvent.keyDown(box(), { key: 'Enter', keyCode: 229 });
    expect(onSend).not.toHaveBeenCalled();
    fireEvent.keyDown(box(), { key: 'Enter', keyCode: 13 });
    expect(onSend).toHaveBeenCalledOnce();
  });

  test('has nothing to send when there are only spaces', async () => {
    show();
    await userEvent.type(box(), '   {Enter}');
    expect(screen.getByRole('button', { name: 'Send' })).toBeDisabled();
    expect(onSend).not.toHaveBeenCalled();
  });

  test('sends nothing while a message is on its way', async () => {
    const intent = { content: 'first', messageKey: 'k', conversationKey: 'l' };
    draftOf('ada', 'c1').set({ text: '', sending: intent, last: null });
    show();
    await userEvent.type(box(), 'second{Enter}');
    expect(onSend).not.toHaveBeenCalled();
    expect(box()).toHaveValue('second');
  });

  test('offers Stop instead of Send while a reply is written, and still takes text', async () => {
    show({ replying: true });
    await userEvent.type(box(), 'next question{Enter}');
    expect(screen.queryByRole('button', { name: 'Send' })).toBeNull();
    await userEvent.click(screen.getByRole('button', { name: 'Stop' }));
    expect(onStop).toHaveBeenCalledOnce();
    expect(onSend).not.toHaveBeenCalled();
    expect(box()).toHaveFocus();
  });

  test('makes a line on Enter where there is only a screen keyboard', async () => {
    vi.spyOn(window, 'matchMedia').mockImplementation(
      (query) =>
        /** @type {any} */ ({
          matches: query === '(pointer: coarse)',
          addEventListener: () => undefined,
          removeEventListener: () => undefined,
        }),
    );
    show();
    await userEvent.type(box(), 'a{Enter}b');
    expect(box()).toHaveValue('a\nb');
    await userEvent.click(screen.getByRole('button', { name: 'Send' }));
    expect(onSend).toHaveBeenCalledOnce();
  });

  test('says why something was not sent and offers to retry', async () => {
    draftOf('ada', 'c1').set({ text: 'keep me', sending: null, last: null });
    setSendProblem('c1', new Problem({ status: 503, code: 'x', message: 'The database is away.' }));
    show();
    expect(screen.getByRole('alert')).toHaveTextContent('Not sent. The database is away.');
    expect(box()).toHaveValue('keep me');
    await userEvent.click(screen.getByRole('button', { name: 'Retry' }));
    expect(onSend).toHaveBeenCalledOnce();
  });

  test('counts down before it lets one retry', () => {
    draftOf('ada', 'c1').set({ text: 'keep me', sending: null, last: null });
    setSendProblem('c1', new Problem({ status: 429, code: 'x', message: 'Too fast.', retryAfterSeconds: 3 }));
    show();
    expect(screen.getByRole('button', { name: 'Retry in 3 s' })).toBeDisabled();
  });
});
