// Package settings fills the flags of a command from the environment and from a
// YAML file where the command line does not set them.
//
// The flags are the settings: there is no second list of them. The flag
// --encrypt-key-file is the variable RINGWAY_ENCRYPT_KEY_FILE and the key
// encrypt-key-file of the file; its type, default and description are those of
// the flag. Precedence: flag, environment, file, default. A variable that is set
// to nothing counts as not set.
//
// The file is read strictly: a key that no command has is an error with its
// line, its column and the nearest key there is. Values are taken as they are
// written, so that an ID of 007 stays 007; a list is a YAML list, or one text
// separated by commas.
package settings
