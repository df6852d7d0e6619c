// Icons, drawn on 16 by 16 with one line.
const paths: Record<string, string> = {
  overview: "M2 2.500h5v5H2zM9 2.500h5v5H9zM2 9.500h5v4H2zM9 9.500h5v4H9z",
  nodes: "M2.500 2.500h11v4.500h-11zM2.500 9h11v4.500h-11zM5 4.800h.01M5 11.300h.01M8 4.800h3M8 11.300h3",
  workloads: "M8 1.800 14 5 8 8.200 2 5zM2 8l6 3.200L14 8M2 11l6 3.200 6-3.200",
  pods: "M8 1.700l5.500 3.100v6.400L8 14.300l-5.500-3.100V4.800zM2.700 5 8 8l5.300-3M8 8v6",
  events: "M2 3.500h12M2 8h8M2 12.500h10",
  network: "M8 5.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM3.500 14.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM12.500 14.500a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM7 5.300l-2.600 5.400M9 5.300l2.600 5.400",
  rights: "M5.500 10.500a3.500 3.500 0 1 1 3.300-2.300L14 13.500v1h-2v-1.500h-1.500v-1.500H9L7.900 10a3.500 3.500 0 0 1-2.400.5zM4.800 6.300h.01",
  kinds: "M2.500 2.500h3v3h-3zM2.500 10.500h3v3h-3zM8 4h6M8 12h6M4 5.500v5M4 8h4.500",
  forwards: "M2 5h10M9 2l3 3-3 3M14 11H4M7 8l-3 3 3 3",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.700 10.700 14 14",
  sun: "M8 10.800a2.800 2.800 0 1 0 0-5.600 2.800 2.800 0 0 0 0 5.600zM8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  moon: "M13.500 9.500A6 6 0 0 1 6.500 2.500a6 6 0 1 0 7 7z",
  auto: "M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12",
  close: "M3.500 3.500l9 9M12.500 3.500l-9 9",
  more: "M3 8h.01M8 8h.01M13 8h.01",
  back: "M10 3 5 8l5 5",
  down: "M4 6l4 4 4-4",
  trash: "M2.500 4h11M6 4V2.500h4V4M4 4l.7 9.500h6.600L12 4M6.700 6.500v4.500M9.300 6.500v4.500",
  restart: "M13 8a5 5 0 1 1-1.500-3.600M13.300 2v3h-3",
  copy: "M5.500 5.500h8v8h-8zM10.500 5.500v-3h-8v8h3",
  edit: "M10.500 2.500l3 3-7.500 7.500-3.500.5.5-3.500z",
  pause: "M5 3v10M11 3v10",
  play: "M4.500 2.500 13 8l-8.500 5.500z",
  out: "M6 2.500H2.500v11H6M10 4.500 13.500 8 10 11.500M13.500 8H6",
  scale: "M9.500 2.500h4v4M13.500 2.500 9 7M6.500 13.500h-4v-4M2.500 13.500 7 9",
};

export const Icon = ({ name, size = 16 }: { name: string; size?: number }) => (
  <svg class="icon" width={size} height={size} viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
    <path d={paths[name] ?? ""} />
  </svg>
);

export const Boat = ({ size = 24 }: { size?: number }) => (
  <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" class="boat">
    <path class="hull" d="M3 13h26c0 8-5.600 13-13 13S3 21 3 13z" />
    <path class="rim" d="M3 13h26" stroke-width="2.600" stroke-linecap="round" />
    <path class="oar" d="M22.500 3.500 14 19" stroke-width="2.400" stroke-linecap="round" />
    <ellipse class="blade" cx="13.400" cy="20.200" rx="2.100" ry="3.300" transform="rotate(29 13.400 20.200)" />
  </svg>
);
