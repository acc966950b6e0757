// The few drawings that GraphiQL does not bring.

import type { SVGProps } from "react";

const LINE = { fill: "none", stroke: "currentColor", strokeWidth: 1.5, strokeLinecap: "round", strokeLinejoin: "round" } as const;

export function ListIcon(props: SVGProps<SVGSVGElement>) {
  return (
    <svg viewBox="0 0 24 24" width="1em" height="1em" {...LINE} {...props}>
      <path d="M9 6h11M9 12h11M9 18h11M4 6h.01M4 12h.01M4 18h.01" />
    </svg>
  );
}

export function PulseIcon(props: SVGProps<SVGSVGElement>) {
  return (
    <svg viewBox="0 0 24 24" width="1em" height="1em" {...LINE} {...props}>
      <path d="M3 12h4l3-8 4 16 3-8h4" />
    </svg>
  );
}

export function OctopusIcon(props: SVGProps<SVGSVGElement>) {
  return (
    <svg viewBox="0 0 32 32" width="1.75em" height="1.75em" aria-hidden="true" {...props}>
      <rect x="2" y="6" width="28" height="20" rx="4" fill="var(--accent)" />
      <circle cx="12" cy="15" r="2" fill="white" />
      <circle cx="20" cy="15" r="2" fill="white" />
      <path d="M6 23q2.5-4 5 0 2.5-4 5 0 2.5-4 5 0 2.5-4 5 0" stroke="white" strokeWidth="2" fill="none" />
    </svg>
  );
}
