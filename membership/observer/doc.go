// Package observer learns the fleet from its agents over HTTP: for a router that
// takes no part in the gossip.
//
// [New] is given the addresses of two agents or more. Each is followed by a long
// poll of its own (GET /v1/ring?after=EPOCH), so that a change is known as soon
// as the first of them knows it, and the loss of all but one changes nothing.
//
// # What is believed
//
// The view of the highest epoch is the one. Epochs never go back: what an agent
// says that was started anew and has not found the fleet yet is passed over, and
// so is what an agent sends that is not a view in all its parts: see package
// agentapi; and with Config.Cluster, an agent of another fleet. When no agent answers, the last view stays, for as long as it takes.
//
// Epochs are counted by the agents together. If all of them were lost and the fleet
// was begun anew, its epochs begin anew too. What says so are the generations of the
// nodes, which grow with each start of an agent: every node of the new fleet started
// later than every node of the one before. Such a fleet is followed once no agent of
// the one before has answered for Config.RebuiltAfter, and that is reported; from
// then on agents of the one before are passed over. As long as one of these answers,
// whatever its epoch, nothing of the kind happens: an agent that began a fleet by
// mistake, beside one that lives, takes no clients away. It takes up to half a minute
// more, the time that an agent lets an answer wait.
//
// Agents of one epoch say the same, but for the health of members, where the
// agent decides that was followed so far. If two of them have other rings, the
// observer asks both again after Config.Convergence, for they may just not have
// heard of each other's news; if they still differ, it reports that once, and
// its views name in Disagree the URLs of those that differ from the view. It
// stays with the agent that it follows, until the epoch grows or that agent is
// lost: keys do not move because agents quarrel.
//
// # Failures
//
// A poll fails when the agent cannot be reached, answers with anything but 200
// or 304 (redirections are not followed, so that a token goes nowhere else), is
// not done in time, or sends something that is not a view. It is repeated after
// a pause, random, that grows from Config.RetryMin to Config.RetryMax.
// Config.OnError is told of the first failure, and again when the reason is
// another one.
package observer
