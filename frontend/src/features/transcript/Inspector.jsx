/** "What did the model see?": the panel beside the conversation. Loaded when it is opened. */
import { SidePanel } from '../../ui/SidePanel.jsx';
import CallPanel from '../audit/CallPanel.jsx';

/** @param {{callId: string, onClose: () => void}} props */
export default function Inspector({ callId, onClose }) {
  return (
    <SidePanel title="What did the model see?" onClose={onClose}>
      <CallPanel key={callId} callId={callId} />
    </SidePanel>
  );
}
