/** "What did the model see?": the panel beside the conversation. What it shows is fetched only when it is opened. */
import { Suspense, lazy } from 'react';

import { SidePanel } from '../../ui/SidePanel.jsx';

const CallPanel = lazy(() => import('../audit/CallPanel.jsx'));

/** @param {{callId: string, onClose: () => void}} props */
export function Inspector({ callId, onClose }) {
  return (
    <SidePanel title="What did the model see?" onClose={onClose}>
      <Suspense fallback={null}>
        <CallPanel key={callId} callId={callId} />
      </Suspense>
    </SidePanel>
  );
}
