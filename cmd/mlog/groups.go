package main

import (
	"github.com/seed27ccf144/mlog/internal/layout"
	"github.com/seed27ccf144/mlog/internal/offsetspec"
	mlog "github.com/seed27ccf144/mlog/log"
)

func newGroups() *command {
	c := &command{
		name: "groups", args: "DIR ACTION", argKind: argDirWord, argWords: []string{"list", "describe", "seek", "delete"},
		minArgs: 2, maxArgs: 3,
		summary: "consumer groups: how far they are; move or delete one",
		examples: []string{
			`mlog groups orders list`,
			`mlog groups orders describe kitchen`,
			`mlog groups orders seek kitchen --to @-1h              # says what would change`,
			`mlog groups orders seek kitchen --to start --execute   # and does it`,
			`mlog groups orders delete kitchen`,
		},
		details: `Actions:
  list                       all groups: committed offset, lag, an active consumer?
  describe GROUP             one group, and where the log starts and ends
  seek GROUP --to OFFSET     says where the group would go on; --execute moves it
  delete GROUP               forgets the group and its committed offset

A group goes on at its committed offset; lag is what it has still to read. OFFSET is
start, end, N, -N, +N or @TIME, as for 'mlog consume -o'; one that is not in the log
is an error (exit 4). While a consumer of the group is active, seek --execute and
delete are refused: it would not notice, and commit its own offset again.`,
		flags: newFlags("groups"),
	}
	var o groupsOptions
	f := c.flags
	f.StringVar(&o.to, "to", "", "seek: the `OFFSET` to go on at")
	f.BoolVar(&o.execute, "execute", false, "seek: do it")
	f.BoolVar(&o.json, "json", false, "list, describe: one JSON object; its fields stay, more may come")
	hideDefaults(f, "to")
	completeValues(f, "to", "start", "end")
	c.run = func(std *streams, args []string) error {
		o.toGiven = f.Changed("to")
		if err := o.check(args[1], args[2:]); err != nil {
			return err
		}
		return groups(std, args[0], args[1], args[2:], o)
	}
	return c
}

type groupsOptions struct {
	to            string
	toGiven       bool
	execute, json bool
}

// check refuses what does not go with the action, rather than ignore it.
func (o *groupsOptions) check(action string, group []string) error {
	switch action {
	case "describe", "seek", "delete":
		if len(group) == 0 {
			return usagef("%s: GROUP is missing", action)
		}
		if err := layout.CheckGroupName(group[0]); err != nil {
			return usagef("%v", err)
		}
	case "list":
		if len(group) > 0 {
			return usagef("list: unexpected argument %q; 'describe' is about one group", group[0])
		}
	default:
		return usagef("unknown action %q: one of list, describe, seek, delete", action)
	}
	switch {
	case action == "seek" && !o.toGiven:
		return usagef("seek: --to is missing: the offset to go on at")
	case action != "seek" && o.toGiven:
		return usagef("%s: --to is for seek", action)
	case action != "seek" && o.execute:
		return usagef("%s: --execute is for seek", action)
	case action != "list" && action != "describe" && o.json:
		return usagef("%s: --json is for list and describe", action)
	}
	return nil
}

func groups(std *streams, dir, action string, group []string, o groupsOptions) error {
	var to offsetspec.Bound
	if action == "seek" {
		var err error
		if to, err = parseBound("to", o.to); err != nil {
			return err
		}
	}
	l, err := mlog.Open(dir, mlog.Options{MustExist: true})
	if err != nil {
		return openError(dir, err)
	}
	defer l.Close()
	switch action {
	case "describe":
		return describeGroup(std, l, dir, group[0], o.json)
	case "seek":
		err = seekGroup(std, l, dir, group[0], to, o.execute)
	case "delete":
		err = deleteGroup(std, l, group[0])
	default:
		return listGroups(std, l, o.json)
	}
	return explainGroupError(err, dir, group[0])
}
