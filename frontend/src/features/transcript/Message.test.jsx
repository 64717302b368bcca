import { act, cleanup, render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, test, vi } from 'vitest';

import { Problem } from '../../api/problems.js';
import { row } from '../../test-data.js';
import { beginSendingEdit, forgetEdits, sendingEditFailed } from '../branches/edits.js';
import { placed, showIn } from './message-test.jsx';
import { SendingMessage, UserMessage } from './Message.jsx';

const message = row({ id: 'm1', content: '**not bold**\n<b>x</b>' });

/** @param {Partial<import('./Message.jsx').Placed & {row: typeof message}>} [props] */
function showMessage(props = {}) {
  const all = { ...placed(), row: message, ...props };
  showIn(<UserMessage {...all} />);
  return all;
}
const editButton = () => screen.getByRole('button', { name: 'Edit' });
const area = () => screen.getByRole('textbox', { name: 'Your message' });

beforeEach(forgetEdits);

describe('a message of the person', () => {
  test('is shown as it was written, without Markdown', () => {
    showMessage();
    expect(screen.getByRole('article', { name: 'You' })).toHaveTextContent('**not bold** <b>x</b>');
  });

  test('says so while it is on its way', () => {
    render(<SendingMessage content="Hello" setSize={1} position={1} />);
    expect(screen.getByText('Sending…')).toBeInTheDocument();
    expect(screen.queryByRole('button')).toBeNull();
  });
});

describe('editing a message', () => {
  test('begins with its text, in its place', async () => {
    showMessage();
    await userEvent.click(editButton());
    expect(area()).toHaveFocus();
    expect(area()).toHaveValue(message.content);
  });

  test('sends with Enter, and makes a line with Shift and Enter', async () => {
    const { actions } = showMessage({ row: row({ id: 'm1', content: 'One' }) });
    await userEvent.click(editButton());
    await userEvent.type(area(), '{Shift>}{Enter}{/Shift}Two');
    expect(area()).toHaveValue('One\nTwo');
    expect(actions.sendEdit).not.toHaveBeenCalled();
    await userEvent.type(area(), '{Enter}');
    expect(actions.sendEdit).toHaveBeenCalledOnce();
  });

  test('sends nothing that is blank', async () => {
    const { actions } = showMessage();
    await userEvent.click(editButton());
    await userEvent.clear(area());
    await userEvent.type(area(), '  {Enter}');
    expect(actions.sendEdit).not.toHaveBeenCalled();
  });

  test('is given up with Escape: the message is as before and the button has the focus', async () => {
    showMessage();
    await userEvent.click(editButton());
    await userEvent.type(area(), ' more');
    await userEvent.keyboard('{Escape}');
    expect(screen.queryByRole('textbox')).toBeNull();
    await waitFor(() => expect(editButton()).toHaveFocus());
    expect(screen.getByRole('article')).toHaveTextContent('**not bold**');
    await userEvent.click(editButton());
    expect(area()).toHaveValue(message.content);
  });

  test('keeps the text when it was not accepted, says why, and offers to try again', async () => {
    const { actions } = showMessage();
    await userEvent.click(editButton());
    await userEvent.clear(area());
    await userEvent.type(area(), 'Better words');
    act(() => {
      beginSendingEdit('m1');
      sendingEditFailed('m1', Problem.noAnswer());
    });
    expect(screen.getByRole('alert')).toHaveTextContent(/Not sent.*cannot be reached/);
    expect(area()).toHaveValue('Better words');
    await userEvent.click(screen.getByRole('button', { name: 'Retry' }));
    expect(actions.sendEdit).toHaveBeenCalledOnce();
  });

  test('goes on where it was after the message had left the page', async () => {
    showMessage();
    await userEvent.click(editButton());
    await userEvent.type(area(), ' more');
    cleanup();
    showMessage();
    expect(area()).toHaveValue(`${message.content} more`);
  });
});

describe('the menu of a message', () => {
  test('forks, and copies links', async () => {
    const { actions } = showMessage();
    const choose = async (/** @type {string} */ name) => {
      await userEvent.click(screen.getByRole('button', { name: 'More' }));
      await userEvent.click(await screen.findByRole('menuitem', { name }));
    };
    await choose('Fork from here');
    expect(actions.fork).toHaveBeenCalledWith(message);
    await choose('Copy link to this message');
    expect(actions.copyMessageLink).toHaveBeenCalledWith(message);
    await choose('Copy link to this branch');
    expect(actions.copyBranchLink).toHaveBeenCalledOnce();
  });

  test('has nothing in it that changes or deletes the message', async () => {
    showMessage();
    await userEvent.click(screen.getByRole('button', { name: 'More' }));
    const names = (await screen.findAllByRole('menuitem')).map((item) => item.textContent ?? '');
    expect(names.filter((name) => /delete|remove|change|regenerate|continue/i.test(name))).toEqual([]);
  });
});

describe('the versions of a message', () => {
  test('are counted, and the ends lead nowhere but keep the focus', async () => {
    const versions = { sibling_ids: ['m1', 'm1b', 'm1c'], sibling_count: 3, sibling_index: 2 };
    const third = row({ id: 'm1c', ...versions });
    const onSwitch = vi.fn();
    showMessage({ row: third, onSwitch });
    expect(screen.getByRole('group', { name: 'Version 3 of 3' })).toHaveTextContent('3 / 3');
    const next = screen.getByRole('button', { name: 'Next version' });
    expect(next).toHaveAttribute('aria-disabled', 'true');
    await userEvent.click(next);
    expect(onSwitch).not.toHaveBeenCalled();
    expect(next).toHaveFocus();
    const previous = screen.getByRole('button', { name: 'Previous version' });
    await userEvent.click(previous);
    expect(onSwitch).toHaveBeenCalledOnce();
    const [versionId, pressed] = onSwitch.mock.calls[0] ?? [];
    expect(versionId).toBe('m1b');
    expect(pressed).toBe(previous);
  });

  test('are not mentioned where there is only one', () => {
    showMessage();
    expect(screen.queryByRole('group', { name: /Version/ })).toBeNull();
  });
});
