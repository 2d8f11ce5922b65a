// Package membership says who is in the fleet.
//
// A [Source] delivers a [View] whenever the fleet changes: the members as they
// are known, and from them the nodes that own keys now and those that will. A
// view is a value: it holds no connection and never changes.
//
// [Static] is a fleet that is written down once; [Manual] one that a program
// changes itself.
package membership
