import { act, renderHook } from '@testing-library/react';
import { beforeEach, describe, expect, test } from 'vitest';

import { Problem } from '../../api/problems.js';
import { beginEdit, beginSendingEdit, changeEdit, endEdit, forgetEdits, sendingEditFailed, useEdit } from './edits.js';

const refused = new Problem({ status: 409, code: 'reply_pending', message: 'A reply is being written.' });

beforeEach(() => act(forgetEdits));

describe('a message that is being edited', () => {
  test('is sent once, however often that is asked for', () => {
    beginEdit('m1', 'Text');
    expect(beginSendingEdit('m1')?.text).toBe('Text');
    expect(beginSendingEdit('m1')).toBeNull();
  });

  test('is not sent when there is nothing in it', () => {
    beginEdit('m1', ' \n ');
    expect(beginSendingEdit('m1')).toBeNull();
    expect(beginSendingEdit('another')).toBeNull();
  });

  test('is sent again under the same key only while its text is the same', () => {
    beginEdit('m1', 'Text');
    const once = beginSendingEdit('m1');
    sendingEditFailed('m1', refused);
    const again = beginSendingEdit('m1');
    expect(again?.key).toBe(once?.key);
    sendingEditFailed('m1', refused);
    changeEdit('m1', 'Other text');
    expect(beginSendingEdit('m1')?.key).not.toBe(once?.key);
  });

  test('says why it was not accepted, until something else is written', () => {
    const { result } = renderHook(() => useEdit('m1'));
    expect(result.current).toBeNull();
    act(() => {
      beginEdit('m1', 'Text');
      beginSendingEdit('m1');
      sendingEditFailed('m1', refused);
    });
    expect(result.current).toMatchObject({ text: 'Text', sending: false, problem: refused });
    act(() => changeEdit('m1', 'Text!'));
    expect(result.current).toMatchObject({ text: 'Text!', problem: null });
    act(() => endEdit('m1'));
    expect(result.current).toBeNull();
  });

  test('leaves others alone', () => {
    const { result } = renderHook(() => useEdit('m2'));
    act(() => {
      beginEdit('m1', 'One');
      beginEdit('m2', 'Two');
      endEdit('m1');
    });
    expect(result.current?.text).toBe('Two');
  });
});
