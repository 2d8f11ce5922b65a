// Package lifecycle is the path of one node from JOINING to LEFT, as its agent
// walks it: a state machine without a clock, a network or a server. [Machine.Step]
// is told what the agent sees, and says what to announce and what to do.
//
//	JOINING ──▶ ANNOUNCED ──▶ IMPORTING ──▶ ACTIVE ──▶ LEAVING ──▶ EXPORTING ──▶ LEFT
//	   ▲            │             │            │
//	   └────────────┴─────────────┴────────────┘  unhealthy or overtaken while it joins, or evicted
package lifecycle
