// Package agentapi is the HTTP interface of the agent as its two sides share it:
// what GET /v1/ring and GET /v1/members answer, written by the agent and read by
// package membership/observer and by the command line.
//
// [RingOf] makes of a view what the agent sends, [ReadRing] and [Ring.View] make
// the view again on the other side. Nothing that comes in is believed: a body is
// bounded, every word and number in it is checked, and what the members say must
// agree with the fingerprint and the transitions beside them. A field that is
// not known is passed over, so that a later version may add some; a change of
// meaning gets another schema, and that is refused.
//
// # Waiting for news
//
// GET /v1/ring?after=EPOCH is answered as soon as the epoch is above EPOCH, and
// after [MaxWait] in any case. The epoch counts what concerns a ring, and two
// changes may come by the same one. So that the health of a node, or two views
// of one epoch that become one, need not wait for the next epoch, an answer
// carries an ETag, and a question with If-None-Match is answered as soon as
// either the epoch or the ETag is another; if neither is after MaxWait, with
// 304 and no body. Both sides can do without: an agent that knows no ETag sends
// none, and who sends no If-None-Match waits for the epoch alone.
package agentapi
