// Command coracle-net is the node's network plugin: it joins each Pod to the node's bridge with an address of the node's range.
//
// It speaks CNI (https://www.cni.dev/docs/spec/) and is executed by the container runtime for every Pod, so it is a small
// program of its own and talks to the kernel by netlink only.
package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/coracle-k8s/coracle/kubelet/network/attachment"
)

// notAvailable is the code by which STATUS says that ADD would not work now.
const notAvailable = 50

func main() {
	skel.PluginMainFuncs(skel.CNIFuncs{Add: add, Del: del, Check: check, Status: status, GC: collect},
		version.PluginSupports("0.4.0", "1.0.0", "1.1.0"), "coracle-net: bridge and addresses of a Coracle node")
}

// add joins a container to the bridge, or leaves nothing behind.
func add(args *skel.CmdArgs) error {
	c, err := parse(args.StdinData)
	if err != nil {
		return err
	}
	owner := attachment.Name(args.ContainerID, args.IfName)
	addresses, err := c.pool().allocate(owner, c.Subnets)
	if err != nil {
		return err
	}
	result, err := connect(c, args, addresses)
	if err != nil {
		return errors.Join(err, release(c, owner))
	}
	return types.PrintResult(result, c.CNIVersion)
}

// del undoes add. It succeeds when there is nothing to undo: the runtime calls it more than once.
func del(args *skel.CmdArgs) error {
	c, err := parse(args.StdinData)
	if err != nil {
		return err
	}
	return release(c, attachment.Name(args.ContainerID, args.IfName))
}

// release removes the container's link, both ends of it, and then gives back its addresses.
func release(c *config, owner string) error {
	if err := removeLink(attachment.HostLink(owner)); err != nil {
		return fmt.Errorf("removing the link of %s: %w", owner, err)
	}
	return c.pool().release(owner)
}

// check says whether what add made is still there.
func check(args *skel.CmdArgs) error {
	c, err := parse(args.StdinData)
	if err != nil {
		return err
	}
	if c.RawPrevResult == nil {
		return types.NewError(types.ErrInvalidNetworkConfig, "prevResult is missing", "")
	}
	if err := version.ParsePrevResult(&c.PluginConf); err != nil {
		return err
	}
	result, err := current.NewResultFromResult(c.PrevResult)
	if err != nil {
		return err
	}
	return inspect(c, args, result)
}

// status says whether add can work.
func status(args *skel.CmdArgs) error {
	c, err := parse(args.StdinData)
	if err != nil {
		return err
	}
	if err := c.pool().usable(); err != nil {
		return types.NewError(notAvailable, "the store of addresses cannot be written", err.Error())
	}
	return nil
}

// collect gives back what belongs to containers that the runtime no longer knows.
func collect(args *skel.CmdArgs) error {
	c, err := parse(args.StdinData)
	if err != nil {
		return err
	}
	valid := map[string]bool{}
	for _, a := range c.ValidAttachments {
		valid[attachment.Name(a.ContainerID, a.IfName)] = true
	}
	owners, err := c.pool().owners()
	if err != nil {
		return err
	}
	var failed []error
	for _, owner := range owners {
		if !valid[owner] {
			failed = append(failed, release(c, owner))
		}
	}
	return errors.Join(failed...)
}

// config is the plugin's part of the network configuration.
type config struct {
	types.PluginConf
	// Bridge is the name of the bridge; it is made if missing.
	Bridge string `json:"bridge"`
	// MTU of every link; 0 is the kernel's choice.
	MTU int `json:"mtu,omitempty"`
	// RouteMTU is that of what leaves the bridge, where it is less: some of the nodes are reached through a tunnel.
	RouteMTU int `json:"routeMTU,omitempty"`
	// Subnets are the node's address ranges, at most one of each family. The first address of each is the bridge's.
	Subnets []subnet `json:"subnets"`
	// DataDir is where the addresses in use are kept.
	DataDir string `json:"dataDir"`
}

func (c *config) pool() pool { return pool{dir: c.DataDir} }

func parse(data []byte) (*config, error) {
	c := &config{}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, types.NewError(types.ErrDecodingFailure, "the network configuration is not valid", err.Error())
	}
	if c.Bridge == "" || c.DataDir == "" || len(c.Subnets) == 0 {
		return nil, types.NewError(types.ErrInvalidNetworkConfig, "bridge, dataDir and subnets are required", "")
	}
	return c, nil
}
