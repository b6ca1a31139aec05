// The sockets of `--listen` where old workers settle before they are told to leave: each generation has a set
// of its own, with a socket for each TCP address, and new connections go to that of the serving one only.
//
// A set is used again by a later generation once the one before has left nobody behind, so that a reload opens
// no socket as a rule. What comes to a set when nobody is there any more who must accept it (a handshake that
// had begun before the switch) is handed on to the serving one.
//
// Where this cannot be had, and where too many generations are about, a generation shares the sockets of the
// one before it, which needs nothing at all.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/id.h"
#include "linux/sockets/listener.h"
#include "linux/steering/steering_sets.h"

namespace graced {

class ListenerNumbers;
class TakenListeners;

class SocketSets {
 public:
  struct Callbacks {
    std::function<void(const Listener&)> closes;  // it is about to be shut down
    // arrived() is to be told of who comes there, or is not.
    std::function<void(const Listener&, bool tell)> tell_of_arrivals;
  };

  explicit SocketSets(Callbacks callbacks) : callbacks_(std::move(callbacks)) {}

  // The sockets of the candidate are about to be opened; or it is to share those of the serving generation.
  void prepare(GenerationId candidate, GenerationId serving);
  void share(GenerationId candidate, GenerationId serving);

  // Its socket on an address of the serving generation, `had`; the same one where it must share that. Throws
  // std::system_error.
  std::shared_ptr<Listener> another(const std::shared_ptr<Listener>& had, const ListenSpec& spec);

  // Whether the next generation will have another one. Tried when first asked.
  bool switches(const std::shared_ptr<Listener>& listener);

  // New connections go there from now on.
  void switch_to(GenerationId generation);

  // All of its workers have been told to leave; it has none, and gets none any more.
  void told(GenerationId generation);
  void gone(GenerationId generation);

  // A socket that was shut down listens again; meanwhile the kernel has forgotten it. False: nobody needs it
  // now.
  bool listens_again(const Listener& listener);

  void arrived(const Listener& listener);

  void add_all(std::vector<std::shared_ptr<Listener>>& listeners) const;

  std::vector<int> sockets_of(GenerationId generation) const;  // borrowed

  // What another image of this process takes over, see linux/upgrade; listeners by their numbers.
  struct Kept {
    struct Set {
      SteeringSets::Set number = 0;
      std::map<GenerationId, bool> told{};
      std::map<SteeringSets::Address, unsigned> sockets{};
    };
    bool tried = false;
    std::optional<SteeringSets::Kept> steering{};
    std::vector<Set> sets{};
    SteeringSets::Address last_address = 0;
    std::vector<unsigned> always_shared{};
    GenerationId serving{};
    std::optional<GenerationId> candidate{};
  };
  Kept kept(ListenerNumbers& numbers) const;
  SocketSets(Callbacks callbacks, const Kept& kept, const TakenListeners& listeners);

 private:
  using Address = SteeringSets::Address;
  struct Set {
    SteeringSets::Set number;
    std::map<GenerationId, bool> told;  // whose it is; of none: it is free
    std::map<Address, std::shared_ptr<Listener>> sockets;

    bool is_free() const { return told.empty(); }
    bool is_left() const;
  };

  bool possible();
  Set* set_of(GenerationId generation);
  void give_sets();
  Set* make_set();
  bool steer(const std::shared_ptr<Listener>& had);
  std::shared_ptr<Listener> used_again(Set& set, Address address, const ListenSpec& spec);
  void add(Set& set, Address address, std::shared_ptr<Listener> listener);
  void watch(const Set& set);
  Set& set_of(const Listener& listener);
  void close(Set& set, Address address);
  void tidy_up();

  Callbacks callbacks_;
  bool tried_ = false;
  std::optional<SteeringSets> steering_;
  std::list<Set> sets_;
  std::unordered_map<const Listener*, Address> addresses_;  // of the sockets in all sets
  Address last_address_ = 0;
  std::set<std::weak_ptr<Listener>, std::owner_less<>> always_shared_;
  GenerationId serving_;
  std::optional<GenerationId> candidate_;
};

}  // namespace graced
