// Binds a worker's unix stream sockets for it, and does what it asks to be done to their files. Names are
// files, or abstract, and there is one socket to a name: see AdoptedNames.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "linux/adoption/adopted_names.h"
#include "linux/adoption/adopted_socket.h"
#include "linux/adoption/adoption_request.h"
#include "linux/adoption/worker_bindings.h"
#include "linux/base/fd.h"

namespace graced {

class UnixBinder {
 public:
  using Verdict = WorkerBindings::Verdict;

  // Borrows both.
  UnixBinder(WorkerBindings& worker, std::uint64_t generation, AdoptedNames& names)
      : worker_(worker), names_(names), generation_(generation), id_(names.new_worker()) {}

  // What another image of this process takes over, see linux/upgrade.
  struct Kept {
    std::uint64_t generation = 0;
    std::uint64_t id = 0;
  };
  Kept kept() const { return {generation_, id_}; }
  UnixBinder(WorkerBindings& worker, const Kept& kept, AdoptedNames& names)
      : worker_(worker), names_(names), generation_(kept.generation), id_(kept.id) {}

  Verdict on_bind(const AdoptionRequest& request, const SocketAddress& where, Fd socket);
  Verdict on_unlink(const AdoptionRequest& request);
  Verdict on_move(const AdoptionRequest& request);  // rename, link

  // It listens from now on: its files are put in place if its generation serves.
  void listens(const AdoptedSocket& adopted, const Fd& socket);

 private:
  Verdict bind_abstract(const AdoptionRequest& request, const SocketAddress& where, Fd socket,
                        const std::string& name);
  int bind_as_worker(const AdoptionRequest& request, const SocketAddress& where, const Fd& socket,
                     const Fd& directory, const std::string& beside);
  Verdict share(const AdoptionRequest& request, const std::shared_ptr<AdoptedName>& name);

  struct Place;
  static std::optional<Place> place_of(const AdoptionRequest& request, int base, const std::string& path);
  bool drop_second_name(AdoptedName& name);
  Verdict rename_name(const AdoptionRequest& request, const std::shared_ptr<AdoptedName>& name,
                      const Place& from, const Place& to);
  Verdict link_name(const AdoptionRequest& request, const AdoptedName& name, const Place& to);
  Verdict leave_in_place(const AdoptionRequest& request, const Place& from, const Place& to);
  void put_in_place_if_due(AdoptedName& name);

  WorkerBindings& worker_;
  AdoptedNames& names_;
  std::uint64_t generation_;
  std::uint64_t id_;  // of the worker, among all of them
};

}  // namespace graced
