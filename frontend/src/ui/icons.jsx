/** The icons: one stroke width, one size, decorative only (the control around them has the name). */

/** @param {{children: import('react').ReactNode, size?: number}} props */
function Icon({ children, size = 18 }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {children}
    </svg>
  );
}

export const NewChatIcon = () => (
  <Icon>
    <path d="M9.5 4H6a2.5 2.5 0 0 0-2.5 2.5V14A2.5 2.5 0 0 0 6 16.5h7.5A2.5 2.5 0 0 0 16 14v-3.5" />
    <path d="m8.5 11.5.5-2.3 6.2-6.2a1.27 1.27 0 0 1 1.8 1.8L10.8 11z" />
  </Icon>
);
export const KeyIcon = () => (
  <Icon>
    <circle cx="6.75" cy="13.25" r="3.25" />
    <path d="m9.1 10.9 6.9-6.9m-3 3 2.5 2.5" />
  </Icon>
);
export const SidebarIcon = () => (
  <Icon>
    <rect x="2.75" y="3.75" width="14.5" height="12.5" rx="2.5" />
    <path d="M7.75 4v12" />
  </Icon>
);
export const MoreIcon = () => (
  <Icon>
    <path d="M4.5 10h.01M10 10h.01M15.5 10h.01" strokeWidth="2.2" />
  </Icon>
);
export const CloseIcon = () => (
  <Icon>
    <path d="m5.5 5.5 9 9m0-9-9 9" />
  </Icon>
);
export const SendIcon = () => (
  <Icon>
    <path d="M10 15.5v-11m0 0L5.5 9M10 4.5 14.5 9" strokeWidth="1.8" />
  </Icon>
);
export const StopIcon = () => (
  <Icon>
    <rect x="5.5" y="5.5" width="9" height="9" rx="1.5" fill="currentColor" />
  </Icon>
);
export const CopyIcon = () => (
  <Icon size={16}>
    <rect x="7" y="7" width="9.5" height="9.5" rx="2" />
    <path d="M13 4.8A1.8 1.8 0 0 0 11.2 3.5H5.3a1.8 1.8 0 0 0-1.8 1.8v5.9A1.8 1.8 0 0 0 4.8 13" />
  </Icon>
);
export const CheckIcon = () => (
  <Icon size={16}>
    <path d="m4.5 10.5 3.5 3.5 7.5-8" />
  </Icon>
);
export const RetryIcon = () => (
  <Icon size={16}>
    <path d="M16 10a6 6 0 1 1-1.9-4.4L16 7.4M16 3.5v4h-4" />
  </Icon>
);
export const PencilIcon = ({ size = 18 }) => (
  <Icon size={size}>
    <path d="m4 16 .8-3.4L13.3 4a1.6 1.6 0 0 1 2.4 0l.3.3a1.6 1.6 0 0 1 0 2.3L7.4 15.2z" />
  </Icon>
);
export const PinIcon = ({ size = 18 }) => (
  <Icon size={size}>
    <path d="M7.2 3.5h5.6l-.7 5 2.4 2.5v1.5H5.5V11l2.4-2.5zM10 12.5v4.5" />
  </Icon>
);
export const ArchiveIcon = () => (
  <Icon>
    <path d="M3 4.5h14v3H3zM4.5 7.5V14A1.5 1.5 0 0 0 6 15.5h8a1.5 1.5 0 0 0 1.5-1.5V7.5M8.5 10.5h3" />
  </Icon>
);
export const TrashIcon = () => (
  <Icon>
    <path d="M4 5.5h12M8 5.5V4h4v1.5M5.5 5.5l.7 9a1.5 1.5 0 0 0 1.5 1.5h4.6a1.5 1.5 0 0 0 1.5-1.5l.7-9M8.5 8.5v4.5m3-4.5v4.5" />
  </Icon>
);
export const SettingsIcon = () => (
  <Icon>
    <path d="M3.5 6.5h6m4 0h3M3.5 13.5h3m4 0h6" />
    <circle cx="11.5" cy="6.5" r="2" />
    <circle cx="8.5" cy="13.5" r="2" />
  </Icon>
);
export const LogOutIcon = () => (
  <Icon>
    <path d="M8 3.5H5.5A1.5 1.5 0 0 0 4 5v10a1.5 1.5 0 0 0 1.5 1.5H8M12.5 6.5 16 10l-3.5 3.5M16 10H8" />
  </Icon>
);
export const KeyboardIcon = () => (
  <Icon>
    <rect x="2.5" y="5.5" width="15" height="9.5" rx="2" />
    <path d="M5.5 8.5h.01m2.99 0h.01m2.99 0h.01m2.99 0h.01M7 12h6" />
  </Icon>
);
export const DownIcon = () => (
  <Icon>
    <path d="M10 4.5v11m0 0 4.5-4.5M10 15.5 5.5 11" />
  </Icon>
);
export const ChevronIcon = () => (
  <Icon size={14}>
    <path d="m5 7.5 5 5 5-5" />
  </Icon>
);
export const PreviousIcon = () => (
  <Icon size={14}>
    <path d="m12.5 5-5 5 5 5" />
  </Icon>
);
export const NextIcon = () => (
  <Icon size={14}>
    <path d="m7.5 5 5 5-5 5" />
  </Icon>
);
export const BackIcon = () => (
  <Icon>
    <path d="M12.5 4.5 7 10l5.5 5.5" />
  </Icon>
);
export const WarningIcon = () => (
  <Icon>
    <path d="M10 7.5v3.5m0 2.7h.01M8.7 3.8 2.9 14a1.5 1.5 0 0 0 1.3 2.3h11.6a1.5 1.5 0 0 0 1.3-2.3L11.3 3.8a1.5 1.5 0 0 0-2.6 0z" />
  </Icon>
);
export const SearchIcon = () => (
  <Icon>
    <circle cx="8.8" cy="8.8" r="5.3" />
    <path d="m12.8 12.8 3.7 3.7" />
  </Icon>
);
export const DownloadIcon = () => (
  <Icon>
    <path d="M10 3.5v9m0 0 3.5-3.5M10 12.5 6.5 9M4 16.5h12" />
  </Icon>
);
export const LedgerIcon = () => (
  <Icon>
    <path d="M5 3.5h10A1.5 1.5 0 0 1 16.5 5v10a1.5 1.5 0 0 1-1.5 1.5H5zM5 3.5v13M3.5 7H5m-1.5 3H5m-1.5 3H5M8.5 7.5h5m-5 3.5h3" />
  </Icon>
);
export const TreeIcon = () => (
  <Icon>
    <path d="M6 6v6.5A2.5 2.5 0 0 0 8.5 15H12M6 8.5h6" />
    <circle cx="6" cy="4.2" r="1.7" />
    <circle cx="13.8" cy="8.5" r="1.7" />
    <circle cx="13.8" cy="15" r="1.7" />
  </Icon>
);
