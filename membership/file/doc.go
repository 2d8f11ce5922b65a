// Package file reads the fleet from a file, and follows its changes: for a fleet
// that a person or a program keeps in a list, such as a Kubernetes config map.
//
// The file is YAML, or JSON, which is YAML too:
//
//	epoch: 3            # optional
//	members:
//	  - id: cache-a
//	    address: 10.0.0.1:6379
//	  - id: cache-b
//	    kind: redis           # redis (the default), memcached or router
//	    address: 10.0.0.2:6379
//	    weight: 2             # 1 by default
//	    zone: eu-1
//	    state: ACTIVE         # the default; or another state of package membership
//	    health: UNHEALTHY     # or DEAD; well without it
//
// Nothing else is accepted, and nothing is guessed: a field that is not known, a
// number where a text belongs, an ID that is there twice, an alias or a tag are
// errors that say where they are and what was meant. `id: 7` is a number; the
// text is `id: "7"`.
//
// # Changes
//
// The file is read anew each Config.Interval; a system's own notices of changes
// are not used, since they miss what a symbolic link hides and what happens on
// another machine of a network file system. A change counts once two readings in
// a row have found the same content in the same file: a file that is just being
// written would look like a fleet that has lost nodes. So it takes effect within
// two intervals.
//
// A content that is wrong is reported once and changes nothing, and neither does
// a file that is gone or cannot be read: the last good view stays.
//
// # Epochs
//
// A file that names an epoch must raise it with each change of the members; one
// that does not is refused as wrong. Without it the source counts the changes
// that it has seen, from 1 on: such epochs mean nothing to another process.
package file
