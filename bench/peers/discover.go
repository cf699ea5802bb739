package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// A Peer is what a folder's peers.json says of one, with where it is.
type Peer struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Kind     string `json:"kind"`     // ipc: keeps nothing; log: keeps records, embedded; broker: a server
	Settings string `json:"settings"` // how it is tuned
	Why      string `json:"why"`      // what of its own documentation that follows
	URL      string `json:"url"`      // where that stands

	Folder string `json:"folder"` // set by discover
}

var kinds = []string{"log", "broker", "ipc"}

// discover finds the peers of all folders below root, in the order of folders.
func discover(root string) ([]Peer, error) {
	files, err := filepath.Glob(filepath.Join(root, "*", "peers.json"))
	if err != nil {
		return nil, err
	}
	var all []Peer
	seen := map[string]string{}
	for _, file := range files {
		peers, err := readPeers(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, p := range peers {
			if other, ok := seen[p.Name]; ok {
				return nil, fmt.Errorf("%s: the name %s is taken by %s", file, p.Name, other)
			}
			seen[p.Name] = file
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no peers.json in the folders of %s", root)
	}
	return all, nil
}

var peerName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

func readPeers(file string) ([]Peer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var peers []Peer
	if err := json.Unmarshal(text, &peers); err != nil {
		return nil, err
	}
	folder, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	for i := range peers {
		p := &peers[i]
		p.Folder = filepath.Base(folder)
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("peer %d: %w", i, err)
		}
	}
	return peers, nil
}

func (p *Peer) check() error {
	switch {
	case !peerName.MatchString(p.Name):
		return fmt.Errorf("name %q: not of a-z, 0-9 and -", p.Name)
	case p.Title == "" || p.Settings == "" || p.Why == "" || p.URL == "":
		return errors.New("title, settings, why and url must be given")
	}
	for _, k := range kinds {
		if p.Kind == k {
			return nil
		}
	}
	return fmt.Errorf("kind %q: not one of %v", p.Kind, kinds)
}

// only keeps the peers whose name or folder matches as a whole.
func only(peers []Peer, pattern string) ([]Peer, error) {
	re, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return nil, err
	}
	var kept []Peer
	for _, p := range peers {
		if re.MatchString(p.Name) || re.MatchString(p.Folder) {
			kept = append(kept, p)
		}
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("no peer is called %s", pattern)
	}
	return kept, nil
}
