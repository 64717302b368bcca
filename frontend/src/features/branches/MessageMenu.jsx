/** What else can be done with a message: rarer things, behind one button. */
import { IconButton } from '../../ui/Button.jsx';
import { MoreIcon } from '../../ui/icons.jsx';
import { MenuContent, MenuItem, MenuLine, MenuRoot, MenuSub, MenuTrigger } from '../../ui/Menu.jsx';
import { fullName, useModels } from '../composer/models.js';

/** @typedef {import('../../api/types.js').TranscriptRow} TranscriptRow */
/** @typedef {import('./useMessageActions.js').MessageActions} MessageActions */

/**
 * @param {{
 *   row: TranscriptRow,
 *   last?: TranscriptRow,
 *   busy: boolean,
 *   canContinue?: boolean,
 *   actions: MessageActions,
 *   className?: string,
 * }} props row: the message, or the reply as it began; last: where the reply ends, if it was continued
 */
export function MessageMenu({ row, last = row, busy, canContinue = false, actions, className }) {
  const isReply = row.role === 'assistant';
  return (
    <MenuRoot>
      <MenuTrigger asChild>
        <IconButton small label="More" className={className}>
          <MoreIcon />
        </IconButton>
      </MenuTrigger>
      <MenuContent align="start">
        {isReply && (
          <>
            {canContinue && (
              <MenuItem disabled={busy} onSelect={() => void actions.goOn(last)}>
                Continue
              </MenuItem>
            )}
            <MenuSub label="Regenerate with…">
              <OtherModels
                busy={busy}
                onChoose={(model) => void actions.regenerate(row, { model })}
                onMore={() => actions.askWhatDiffers(row)}
              />
            </MenuSub>
            <MenuLine />
          </>
        )}
        <MenuItem disabled={busy} onSelect={() => void actions.fork(last)}>
          Fork from here
        </MenuItem>
        <MenuItem onSelect={() => void actions.copyMessageLink(row)}>Copy link to this message</MenuItem>
        <MenuItem onSelect={() => void actions.copyBranchLink()}>Copy link to this branch</MenuItem>
        {row.sibling_count > 1 && (
          <>
            <MenuLine />
            <MenuItem disabled={busy} onSelect={() => void actions.hide(row.id)}>
              Hide this branch
            </MenuItem>
          </>
        )}
      </MenuContent>
    </MenuRoot>
  );
}

/** @param {{busy: boolean, onChoose: (model: string) => void, onMore: () => void}} props */
function OtherModels({ busy, onChoose, onMore }) {
  const models = useModels();
  return (
    <>
      {(models.data?.results ?? []).map((model) => (
        <MenuItem key={`${model.runner}/${model.id}`} disabled={busy || !model.reachable} onSelect={() => onChoose(model.id)}>
          {fullName(models.data, model)}
          {!model.reachable && ' (does not answer now)'}
        </MenuItem>
      ))}
      <MenuLine />
      <MenuItem disabled={busy} onSelect={onMore}>
        Other parameters…
      </MenuItem>
    </>
  );
}
