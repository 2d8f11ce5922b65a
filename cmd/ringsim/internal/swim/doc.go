// Package swim measures how long real memberlist members, on a network in memory that
// loses packets, take to learn of what happens to one of them, and sets it beside what
// the protocols promise:
//
//   - SWIM (Das, Gupta, Motivala, "SWIM: Scalable Weakly-consistent
//     Infection-style Process Group Membership Protocol", DSN 2002): a crash is
//     noticed after e/(e-1) protocol periods on average, whatever the size; news
//     spread by infection, in a number of rounds that grows with the logarithm
//     of the size; lost packets alone make nobody dead.
//   - Lifeguard (Dadgar, Phillips, Currey, "Lifeguard: Local Health Awareness
//     for More Accurate Failure Detection", 2017): a suspicion lasts
//     SuspicionMult · max(1, log10 n) probe intervals where others confirm it,
//     and SuspicionMaxTimeoutMult times as long where nobody does.
//
// Members are those of github.com/hashicorp/memberlist at its settings for a LAN, and
// run in real time, or in virtual time inside a bubble of testing/synctest. They draw
// from the global generator of math/rand: a seed decides which packets are lost, and
// two runs are alike, not equal.
package swim
