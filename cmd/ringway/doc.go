// Ringway runs the agent beside a cache server, and shows the fleet that the
// agents make.
//
//	ringway demo            the whole mission on this machine
//	ringway agent           speak for one Redis or Memcached server in its fleet
//	ringway members         who is in the fleet
//	ringway ring            who owns how much, and whether all agree
//	ringway locate KEY…     where keys live
//	ringway rebalance       the keys that move: watch, slow down, pause, roll back
//	ringway drain ID        have a node hand its keys over and leave
//
// Every flag can also be set by an environment variable, RINGWAY_ and its name in
// capitals, and by a key of that name in the YAML file of --config; the command
// line goes before the environment, that before the file. Exit codes: 0 done, 1
// an assertion is false or the work did not complete, 2 wrong usage or bad input,
// 130 Ctrl-C.
package main
